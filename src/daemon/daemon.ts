/**
 * The composition root: everything a home agent daemon is made of, and who talks to whom.
 *
 *    foreign agents        other members            routers
 *         │                     │                      │ BGP
 *    UDP virtual:434       UDP cluster port         ExaBGP
 *         │                     │                      │ stdio
 *    ┌────▼─────────────────────▼────┐            exabgp/ helper
 *    │ Driver ── HomeAgent (sans-IO) │                 │ unix socket
 *    └────┬──────────────────────────┘           ┌─────▼──────┐
 *         │ changes ▲ durable                    │ Advertiser │
 *    ┌────▼─────────┴────┐    ┌───────────┐      └─────▲──────┘
 *    │ Store (2 workers) │───▶│ Readiness ├────────────┘ announce, withdraw
 *    └───────────────────┘    └─────▲─────┘
 *                                   │
 *                     Control API (unix socket) ◀── anyhome CLI
 */
import { dirname, join } from "node:path";
import { serveControlApi } from "../api/server.ts";
import type { Advertisement, Advertiser } from "../advertiser/advertiser.ts";
import { HomeAgent } from "../cluster/home-agent.ts";
import type { Config } from "../config/config.ts";
import { EventLoopMonitor } from "../health/event-loop-monitor.ts";
import { assess, type Readiness } from "../health/readiness.ts";
import { UdpSocket } from "../relay/udp-socket.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Store, StoreListener } from "../store/store.ts";
import { Counters } from "../telemetry/counters.ts";
import { type ClosableEventLog, createLog } from "../telemetry/log.ts";
import { formatEndpoint, formatIpv4, formatPrefix } from "../wire/ipv4.ts";
