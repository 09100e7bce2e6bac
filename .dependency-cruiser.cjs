/** The import rules of docs/architecture.md: who may know whom. */

const core = "^src/core/";
const composition = "^src/(daemon|cli|lab)/";

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      comment: "Modules that need each other are one module, or miss a third.",
      from: {},
      to: { circular: true },
    },
    {
      name: "core-is-pure",
      severity: "error",
      comment: "The core decides, adapters do: it may import nothing but itself and what only calculates.",
      from: { path: core },
      to: { pathNot: [core, "^node_modules/(zod|lru-cache)/", "^(node:)?(crypto|buffer|net|zlib)$"] },
    },
    {
      name: "wire-and-auth-stand-alone",
      severity: "error",
      comment: "Codecs know nothing of what is done with the messages.",
      from: { path: "^src/core/(wire|auth)/" },
      to: { path: "^src/", pathNot: "^src/core/(wire/|auth/|names\\.ts$)" },
    },
    {
      name: "layouts-stand-alone",
      severity: "error",
      comment: "How a field stands in bytes has nothing to do with the message or the row that it is in.",
      from: { path: "^src/core/layout/" },
      to: { path: "^src/", pathNot: "^src/core/(layout/|wire/ipv4\\.ts$|names\\.ts$)" },
    },
    {
      name: "nothing-in-the-core-imports-upward",
      severity: "error",
      comment: "A home agent is put together from its tables, members and copies; they don't know it.",
      from: { path: core, pathNot: "^src/core/home-agent/" },
      to: { path: "^src/core/home-agent/" },
    },
    {
      name: "tables-know-no-members",
      severity: "error",
      comment: "What is kept of mobiles stands below who is in the cluster, and both below the copies.",
      from: { path: "^src/core/(bindings|registration)/" },
      to: { path: "^src/core/(members|replication|health)/" },
    },
    {
      name: "members-know-no-copies",
      severity: "error",
      from: { path: "^src/core/(members|protocol)/" },
      to: { path: "^src/core/(replication|registration)/" },
    },
    {
      name: "adapters-know-each-other-only-where-listed",
      severity: "error",
      comment: "Counters and the log are for all; kernel is what Node lacks; the rest is between neighbors.",
      from: { path: "^src/adapters/([^/]+)/" },
      to: {
        path: "^src/adapters/",
        pathNot: [
          "^src/adapters/$1/",
          "^src/adapters/(telemetry|kernel)/",
          // A BFD speaker's socket is a bounded UDP socket; checks look at routing and at the disk.
          "^src/adapters/(net/udp-socket|advertiser/(advertiser|routing-view)|store/store)\\.ts$",
        ],
      },
    },
    {
      name: "forwarding-follows-from-rows",
      severity: "error",
      comment: "Where packets go follows from what was registered, not from how it got here.",
      from: { path: "^src/core/forwarding/" },
      to: { path: "^src/", pathNot: "^src/core/((forwarding|bindings|wire)/|(names|now)\\.ts$)" },
    },
    {
      name: "data-plane-knows-entries-alone",
      severity: "error",
      comment: "It takes packets where the core says, and knows neither registrations nor members.",
      from: { path: "^src/adapters/dataplane/" },
      to: { path: "^src/core/", pathNot: "^src/core/(tunnel|forwarding|wire)/" },
    },
    {
      name: "tunnels-know-entries-alone",
      severity: "error",
      comment: "A packet is judged by where its mobile is registered, whoever found that out.",
      from: { path: "^src/core/tunnel/" },
      to: { path: "^src/", pathNot: "^src/core/(tunnel|forwarding|wire)/" },
    },
    {
      name: "only-composition-composes",
      severity: "error",
      comment: "Adapters are wired together by the daemon and used by the command line; they know neither.",
      from: { pathNot: [composition, "^test/"] },
      to: { path: composition },
    },
    {
      name: "nobody-knows-the-command-line",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "api-asks-through-its-own-interface",
      severity: "error",
      comment: "The control API is given what it serves; it does not reach into the state.",
      from: { path: "^src/adapters/api/" },
      to: { path: "^src/(core/(bindings|members|replication|home-agent)|adapters/(store|net|advertiser))/" },
    },
    {
      name: "source-knows-no-tests",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^test/" },
    },
    {
      name: "no-orphans",
      severity: "error",
      comment: "A module that nobody imports is dead, unless it is started by itself.",
      from: {
        orphan: true,
        path: "^src/",
        pathNot: ["^src/setup/", "\\.d\\.ts$"],
      },
      to: {},
    },
    {
      name: "no-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared-dependencies-only",
      severity: "error",
      comment: "What src imports must be installed with the package.",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
      },
    },
    {
      name: "no-deprecated-builtins",
      severity: "error",
      from: {},
      to: { dependencyTypes: ["deprecated"] },
    },
  ],
  options: {
    // Reads TypeScript, types' imports too, but not yet `using` declarations.
    parser: "swc",
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
