/** The import rules of docs/architecture.md: who may know whom. */

const core = "^src/(wire|auth|registration|cluster|replication)/";
/** What the core hands to a store, as types. */
const logContract = "^src/adapters/store/store\\.ts$";
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
      comment:
        "The core decides, adapters do: it may import nothing but itself, what only calculates, and one contract.",
      from: { path: core },
      to: { pathNot: [core, logContract, "^node_modules/zod/", "^(node:)?(crypto|buffer|net)$"] },
    },
    {
      name: "core-knows-the-log-by-its-types",
      severity: "error",
      from: { path: core },
      to: { path: logContract, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "wire-and-auth-stand-alone",
      severity: "error",
      comment: "Codecs know nothing of what is done with the messages.",
      from: { path: "^src/(wire|auth)/" },
      to: { path: "^src/", pathNot: "^src/(wire|auth)/" },
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
      to: { path: "^src/(cluster|replication|store|relay|advertiser)/" },
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
