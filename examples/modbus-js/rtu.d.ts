/** Types of rtu.js for the programs of this repository that are written in TypeScript. */

export function crc16(bytes: Iterable<number>): number;
export function frame(bytes: Iterable<number>): Uint8Array;
export function readRequest(unit: number, address: number, count: number): Uint8Array;
export function responseLength(bytes: Uint8Array): number | undefined;
export function registersOf(response: Uint8Array, unit: number, count: number): number[];
