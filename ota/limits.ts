/**
 * Bounds on everything that arrives from outside: metadata, chunk lists, manifests, payloads.
 *
 * A 64 MB device has to survive whatever a broker or a stolen key sends; the figures leave room for real fleets.
 */

/** One MQTT payload, so that any broker and any cloud takes it: a metadata file, a chunk, a chunk list, a manifest; in bytes. */
export const MAX_PAYLOAD_BYTES = 65_536;

/** One metadata file, in bytes (TUF 1.0.31 §5.3.3, §5.4.1: the bound where no signed length exists). */
export const MAX_METADATA_BYTES = 65_536;

/** Nesting of arrays and objects in JSON from outside, in levels. */
export const MAX_JSON_DEPTH_LEVELS = 32;

/** Arrays' and objects' members in one JSON text together; bounds memory, which the text's length does only loosely. */
export const MAX_JSON_VALUES = 20_000;

/** Signatures on one metadata file. */
export const MAX_SIGNATURES = 32;

/** RSA keys of repositories that other tools write, in bits; larger ones cost a device seconds. */
export const MIN_RSA_BITS = 2_048;
export const MAX_RSA_BITS = 4_096;

/** Keys that a root (or a delegation) lists. */
export const MAX_KEYS = 64;

/** Key ids of one role. */
export const MAX_ROLE_KEYS = 32;

/** Targets in one targets file; 65,536 bytes hold fewer. */
export const MAX_TARGETS = 1_024;

/** Other metadata files that a snapshot lists. */
export const MAX_SNAPSHOT_ENTRIES = 1_024;

/** Delegations of one targets file, and path patterns or hash prefixes of one of them. */
export const MAX_DELEGATIONS = 256;
export const MAX_DELEGATION_PATHS = 256;

/**
 * Roots newer than the trusted one that are kept until they are verified: counted, since empty ones would cost memory too, and in bytes
 * together (one has some 2 KiB).
 */
export const MAX_PENDING_ROOTS = 64;
export const MAX_PENDING_ROOT_BYTES = 512 * 1024;

/** What is remembered beside a repository's trusted metadata, in bytes. */
export const MAX_TRUST_RECORD_BYTES = 4_096;

/**
 * How far a clock may be ahead of the latest signed time and be believed, in milliseconds: ten years. No device is stored for longer, and
 * clocks that start with garbage are mostly further off.
 */
export const MAX_CLOCK_LEAD_MS = 10 * 365 * 24 * 60 * 60 * 1_000;

/** Targets roles that one search looks at, the top-level one included (TUF 1.0.31 §5.6.7, step 1), and how deep delegations nest. */
export const MAX_VISITED_ROLES = 32;

/** Files of delegated roles that are kept: counted, and in bytes together. Most fleets have none, a team has one, hash bins a few dozen. */
export const MAX_DELEGATED_FILES = 64;
export const MAX_DELEGATED_BYTES = 1024 * 1024;

/** Kinds of hardware that a release or a delegation is for. */
export const MAX_HARDWARE_NAMES = 32;

/** A target's path or a metadata file's name, in UTF-16 units. */
export const MAX_PATH_LENGTH = 256;

/** Any other string of metadata (key type, scheme, hash name, public key), in UTF-16 units. */
export const MAX_METADATA_STRING_LENGTH = 1_024;

/** Hash algorithms listed for one file. */
export const MAX_HASHES = 8;

/** Assignments of one director target. */
export const MAX_ASSIGNMENTS = 512;

/** Modules that a device takes from the director, counted. */
export const MAX_MODULES = 64;

/** Target paths that an error lists as what forged metadata claims. */
export const MAX_CLAIMS = 8;

/** A component, in bytes. */
export const MAX_COMPONENT_BYTES = 64 * 1024 * 1024;

/** One chunk of a component, in bytes. */
export const MAX_CHUNK_BYTES = 65_536;

/** Chunks in one chunk list: twice what the largest component has when they are 16 KiB on average. */
export const MAX_CHUNKS = 8_192;

/** What a compressed chunk's decoder may look back on, as a power of two in bytes: more than a chunk has. */
export const MAX_ZSTD_WINDOW_LOG = 17;

/** A TOML file (a manifest, a configuration), in bytes. */
export const MAX_TOML_BYTES = 65_536;

/** Nesting of arrays and inline tables in TOML, in levels. */
export const MAX_TOML_DEPTH_LEVELS = 16;

/** Names of one kind (sensors, serial ports, topics) that a manifest requests. */
export const MAX_REQUESTED_NAMES = 32;

/** Linear memory that a manifest may request at all, in bytes; what it gets is the device's policy. */
export const MAX_MEMORY_REQUEST_BYTES = 1024 * 1024 * 1024;

/** Private files that a manifest may request at all, in bytes; what it gets is the device's policy. */
export const MAX_STORAGE_REQUEST_BYTES = 1024 ** 4;

/** Environment variables of a manifest, and the length of one value in UTF-16 units. */
export const MAX_ENVIRONMENT_VARIABLES = 64;
export const MAX_ENVIRONMENT_VALUE_LENGTH = 1_024;

/** All of them together, names included, in bytes of the JSON that a module's worker is handed. */
export const MAX_ENVIRONMENT_BYTES = 32 * 1024;

/** Values of a manifest's [config], and the length of one in UTF-16 units. */
export const MAX_CONFIG_VALUES = 32;
export const MAX_CONFIG_VALUE_LENGTH = 256;

/** All of them together, in the same way. */
export const MAX_CONFIG_BYTES = 16 * 1024;

/** Time between two calls of a reactor, in milliseconds. */
export const MIN_REACTOR_INTERVAL_MS = 10;
export const MAX_REACTOR_INTERVAL_MS = 24 * 60 * 60 * 1_000;

/** How long a trial may last, in milliseconds: an operator waits for it before the next device starts. */
export const MIN_HEALTH_WINDOW_MS = 100;
export const MAX_HEALTH_WINDOW_MS = 60 * 60 * 1_000;

/** One generation of the agent's state file, in bytes. */
export const MAX_STATE_BYTES = 1024 * 1024;

/**
 * A failure's message in the state file, in UTF-16 units: parts of it may come from a module, and MAX_MODULES of them, each character
 * escaped in six bytes, have to stay within MAX_STATE_BYTES.
 */
export const MAX_FAILURE_MESSAGE_LENGTH = 1_024;

/** Starts of one trial: an agent that died in this many gives the version up. */
export const MAX_TRIAL_STARTS = 3;

/** Between two attempts to fetch a release, in milliseconds; doubles from the one to the other. */
export const FETCH_RETRY_MIN_MS = 5_000;
export const FETCH_RETRY_MAX_MS = 60 * 60 * 1_000;

/** Before a committed version that ended is started again, in milliseconds; doubles from the one to the other. */
export const RESTART_DELAY_MIN_MS = 1_000;
export const RESTART_DELAY_MAX_MS = 5 * 60 * 1_000;

/** A version that ran this long before it ended starts again after the shortest delay, in milliseconds. */
export const STABLE_RUN_MS = 10 * 60 * 1_000;

/** What a module's data is copied through, in bytes. */
export const COPY_BUFFER_BYTES = 65_536;

/** Attempts to put a module's data back as it was before a trial. */
export const RESTORE_ATTEMPTS = 3;

/** Nesting of folders in a module's data, in levels. */
export const MAX_DATA_DEPTH_LEVELS = 32;

/** Blobs that are asked for at a time, in bytes together: bounds memory. */
export const DELIVERY_WINDOW_BYTES = 8 * 65_536;

/** The same, counted: each is a subscription, of which AWS IoT allows fifty to a connection. */
export const DELIVERY_WINDOW_BLOBS = 32;

/** How long a download waits for the next good blob, in milliseconds. */
export const DELIVERY_IDLE_TIMEOUT_MS = 30_000;

/** A window is refilled when so much of it has come, counted and as a part of its bytes: few requests, and the line never runs dry. */
export const DELIVERY_REFILL_BLOBS = 8;
export const DELIVERY_REFILL_PART = 1 / 4;

/** Blobs that are being written before the source is held back. */
export const DELIVERY_TAKING_BLOBS = 4;

/**
 * Slow retrieval (Uptane 2.1): less than this per second, in bytes, on average over that time, in milliseconds. A line of 9,600 baud is near
 * the bound; what came is kept, so that it gets there as well, in several attempts.
 */
export const MIN_RETRIEVAL_BYTES_PER_SECOND = 512;
export const SLOW_RETRIEVAL_WINDOW_MS = 5 * 60 * 1_000;

/** Wrong payloads under one blob's name before a download gives up. */
export const MAX_BAD_PAYLOADS = 3;

/** Left free by a download, for the state file and the modules, in bytes. */
export const FREE_SPACE_RESERVE_BYTES = 1024 * 1024;

/** Reports of a download's progress, counted. */
export const PROGRESS_STEPS = 20;

/** Before a state that the disk refused is written again, in milliseconds. */
export const PERSIST_RETRY_MS = 30_000;
