/** Bounds on what the policy file, a module and a device's far end control. */

/** Sensors, serial ports and grants that a policy may list, each. */
export const MAX_POLICY_ENTRIES = 256;

/** Names or filters in one list of a grant. */
export const MAX_GRANT_NAMES = 64;

/** Any other text of the policy: a path, a chip's name, a unit; in UTF-16 units. */
export const MAX_POLICY_TEXT_LENGTH = 256;

/** A topic that a module publishes to, and a topic filter; in UTF-8 bytes. */
export const MAX_TOPIC_BYTES = 256;

/** Levels of a topic filter. */
export const MAX_TOPIC_LEVELS = 32;

/** Linear memory of a module whose grant does not say, in bytes. */
export const DEFAULT_MEMORY_BYTES = 4 * 1024 * 1024;

/** The most linear memory that a grant can give, in bytes: WebAssembly's own bound. */
export const MAX_MEMORY_BYTES = 4 * 1024 ** 3;

/**
 * WebAssembly code of a module whose grant does not say, in bytes. The engine makes machine code of what runs of it, outside
 * of the module's memory: 8 bytes for one as a rule, 22 at worst (measured). A C program has 40 KiB, QuickJS 1.3 MiB.
 */
export const DEFAULT_CODE_BYTES = 1024 * 1024;

/** The most code that a grant can give, in bytes. */
export const MAX_CODE_BYTES = 16 * 1024 * 1024;

/** Values for wasi:config in one grant, and the length of one in UTF-16 units. */
export const MAX_CONFIG_VALUES = 32;
export const MAX_CONFIG_VALUE_LENGTH = 256;

/** All that one module is told, by however many grants, in bytes of the JSON that its worker is handed. */
export const MAX_CONFIG_BYTES = 16 * 1024;

/** The most private files that a grant can give, in bytes. */
export const MAX_STORAGE_BYTES = 1024 ** 4;

/** Entries of /sys/class/hwmon that are looked at. */
export const MAX_HWMON_CHIPS = 256;

/** A sysfs attribute, in bytes: the kernel hands out at most a page, and a number is far shorter. */
export const MAX_ATTRIBUTE_BYTES = 64;

/** One period of a simulated sensor, in milliseconds: a year. */
export const MAX_SIMULATED_PERIOD_MS = 365 * 86_400_000;

/** One serial read, in bytes. wit/deps/skerry-device/serial.wit promises it. */
export const MAX_SERIAL_READ_BYTES = 4_096;

/** One serial write, in bytes. The same. */
export const MAX_SERIAL_WRITE_BYTES = 4_096;

/** How long a serial read may wait, in milliseconds. The same. */
export const MAX_SERIAL_READ_TIMEOUT_MS = 10_000;

/** Bytes of a port that nobody has read yet; more is an overrun. */
export const MAX_SERIAL_BUFFER_BYTES = 16_384;

/** How long a serial write may take beyond the time that its bytes need on the line, in milliseconds. */
export const SERIAL_WRITE_SLACK_MS = 2_000;

/** Ports of TCP and UDP. */
export const MAX_PORT = 65_535;

/** Speeds that a port can be set to, in bits per second. */
export const MIN_BAUD = 50;
export const MAX_BAUD = 4_000_000;

/** How long a pair of pseudo-terminals may take to appear, and to go, in milliseconds. */
export const VIRTUAL_PORT_TIMEOUT_MS = 5_000;

/** How long the closing of a port may take, in milliseconds; longer than a virtual pair takes to go. */
export const CLOSE_TIMEOUT_MS = 6_000;

/** Output of the program that makes the pair, kept for an error message; in characters. */
export const MAX_TOOL_OUTPUT_LENGTH = 4_096;
