//! Skerry's imports for Rust, declared by hand: one declaration per function of wit/, in the canonical ABI's flat form
//! (Component Model, CanonicalABI.md, "Flattening"), and a safe function around each. A function that is not called is
//! not imported. Needs no crate, so one file of source and rustc make a module; with cargo, wit-bindgen generates the same
//! from wit/.
//!
//! A result comes back in memory that the caller provides: `Outcome` is `repr(C, u8)`, which lays a variant out as the
//! canonical ABI does for wasm32 (a byte for the case, then its payload, aligned); the assertions hold it to that.
#![allow(dead_code)] // a module uses what it needs

use std::mem::MaybeUninit;

/// `result<Value, Code>` as it lies in memory.
#[repr(C, u8)]
enum Outcome<Value, Code> {
    Ok(Value),
    Err(Code),
}

/// A string or a list<u8> that an import returned, in memory of this module's allocator.
#[repr(C)]
struct RawBytes {
    data: *mut u8,
    length: usize,
}

impl RawBytes {
    fn into_vec(self) -> Vec<u8> {
        if self.length == 0 {
            return Vec::new(); // an empty one was never allocated
        }
        // SAFETY: the host had these bytes allocated by cabi_realloc, which is wasi-libc's realloc, as is Vec's.
        unsafe { Vec::from_raw_parts(self.data, self.length, self.length) }
    }
}

/// Calls an import that writes its result, and takes the result.
fn outcome_of<Value, Code>(call: impl FnOnce(*mut Outcome<Value, Code>)) -> Result<Value, Code> {
    let mut place = MaybeUninit::uninit();
    call(place.as_mut_ptr());
    // SAFETY: the host has written a whole result when the import returns.
    match unsafe { place.assume_init() } {
        Outcome::Ok(value) => Ok(value),
        Outcome::Err(code) => Err(code),
    }
}

/// skerry:device/sensor
pub mod sensor {
    use super::{Outcome, RawBytes, outcome_of};

    #[repr(u8)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ErrorCode {
        NotGranted,
        Unavailable,
        Failed,
    }

    /// One measurement.
    pub struct Reading {
        /// In `unit`; always finite.
        pub value: f64,
        /// UCUM code, `Cel` for instance.
        pub unit: String,
        /// Nanoseconds since 1970.
        pub time_ns: u64,
    }

    /// An open sensor; dropping it closes it.
    pub struct Sensor(u32);

    #[repr(C)]
    struct RawReading {
        value: f64,
        unit: RawBytes,
        time_ns: u64,
    }

    const _: () = assert!(size_of::<Outcome<u32, ErrorCode>>() == 8, "result<own<sensor>, error-code>");
    const _: () = assert!(size_of::<Outcome<RawReading, ErrorCode>>() == 32, "result<reading, error-code>");

    #[link(wasm_import_module = "skerry:device/sensor@0.1.0")]
    unsafe extern "C" {
        #[link_name = "open"]
        fn sensor_open(name: *const u8, length: usize, result: *mut Outcome<u32, ErrorCode>);
        #[link_name = "[method]sensor.read"]
        fn sensor_read(sensor: u32, result: *mut Outcome<RawReading, ErrorCode>);
        #[link_name = "[resource-drop]sensor"]
        fn sensor_drop(sensor: u32);
    }

    /// Opens the sensor of this name in the device's policy.
    pub fn open(name: &str) -> Result<Sensor, ErrorCode> {
        // SAFETY: the host reads `length` bytes at `name`, and writes a result of the declared layout.
        outcome_of(|result| unsafe { sensor_open(name.as_ptr(), name.len(), result) }).map(Sensor)
    }

    impl Sensor {
        /// Measures now. Blocks for as long as the hardware takes.
        pub fn read(&self) -> Result<Reading, ErrorCode> {
            // SAFETY: the handle is open until it is dropped; the host writes a result of the declared layout.
            let RawReading { value, unit, time_ns } = outcome_of(|result| unsafe { sensor_read(self.0, result) })?;
            let unit = String::from_utf8_lossy(&unit.into_vec()).into_owned();
            Ok(Reading { value, unit, time_ns })
        }
    }

    impl Drop for Sensor {
        fn drop(&mut self) {
            // SAFETY: this is the only owner of the handle.
            unsafe { sensor_drop(self.0) }
        }
    }
}

/// skerry:device/serial
pub mod serial {
    use super::{Outcome, RawBytes, outcome_of};

    #[repr(u8)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ErrorCode {
        NotGranted,
        Busy,
        Unavailable,
        Overrun,
        TimedOut,
        InvalidArgument,
        Failed,
    }

    /// An open port; dropping it closes it.
    pub struct Port(u32);

    const _: () = assert!(size_of::<Outcome<RawBytes, ErrorCode>>() == 12, "result<list<u8>, error-code>");

    #[link(wasm_import_module = "skerry:device/serial@0.1.0")]
    unsafe extern "C" {
        #[link_name = "open"]
        fn serial_open(name: *const u8, length: usize, result: *mut Outcome<u32, ErrorCode>);
        #[link_name = "[method]port.read"]
        fn port_read(port: u32, max_bytes: u32, timeout_ms: u32, result: *mut Outcome<RawBytes, ErrorCode>);
        #[link_name = "[method]port.write"]
        fn port_write(port: u32, data: *const u8, length: usize, result: *mut Outcome<u32, ErrorCode>);
        #[link_name = "[resource-drop]port"]
        fn port_drop(port: u32);
    }

    /// Opens the port of this name in the device's policy.
    pub fn open(name: &str) -> Result<Port, ErrorCode> {
        // SAFETY: the host reads `length` bytes at `name`, and writes a result of the declared layout.
        outcome_of(|result| unsafe { serial_open(name.as_ptr(), name.len(), result) }).map(Port)
    }

    impl Port {
        /// What is there, at most `max_bytes`; waits until there is something or the time has passed (then it is empty).
        pub fn read(&self, max_bytes: u32, timeout_ms: u32) -> Result<Vec<u8>, ErrorCode> {
            // SAFETY: the handle is open until it is dropped; the host writes a result of the declared layout.
            outcome_of(|result| unsafe { port_read(self.0, max_bytes, timeout_ms, result) }).map(RawBytes::into_vec)
        }

        /// Sends at most 4096 bytes; returns their number.
        pub fn write(&self, data: &[u8]) -> Result<u32, ErrorCode> {
            // SAFETY: as above, and the host reads `length` bytes at `data`.
            outcome_of(|result| unsafe { port_write(self.0, data.as_ptr(), data.len(), result) })
        }
    }

    impl Drop for Port {
        fn drop(&mut self) {
            // SAFETY: this is the only owner of the handle.
            unsafe { port_drop(self.0) }
        }
    }
}

/// skerry:module/messaging
pub mod messaging {
    use super::{Outcome, outcome_of};

    #[repr(u8)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ErrorCode {
        NotGranted,
        InvalidTopic,
        TooLarge,
        RateLimited,
        Unavailable,
    }

    const _: () = assert!(size_of::<Outcome<(), ErrorCode>>() == 2, "result<_, error-code>");

    #[link(wasm_import_module = "skerry:module/messaging@0.1.0")]
    unsafe extern "C" {
        #[link_name = "publish"]
        fn messaging_publish(
            topic: *const u8,
            topic_length: usize,
            payload: *const u8,
            payload_length: usize,
            result: *mut Outcome<(), ErrorCode>,
        );
    }

    /// Hands a message to the agent; `topic` is relative to the device and to the module.
    pub fn publish(topic: &str, payload: &[u8]) -> Result<(), ErrorCode> {
        // SAFETY: the host reads both ranges, and writes a result of the declared layout.
        outcome_of(|result| unsafe {
            messaging_publish(topic.as_ptr(), topic.len(), payload.as_ptr(), payload.len(), result)
        })
    }
}
