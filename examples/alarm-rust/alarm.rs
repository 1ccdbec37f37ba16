//! An alarm: watches the sensor "ambient" and publishes on telemetry/alarm when it rises to a limit, and when it has
//! fallen below it again. The number of alarms so far is kept in /data, over restarts and updates.
//!
//! A command (its main loops and sleeps). Its environment, from the manifest:
//!
//! - ALARM_ABOVE: the limit, in the sensor's unit (30 unless said);
//! - ALARM_HYSTERESIS: how far below the limit it has to fall before the alarm is over (1);
//! - ALARM_PERIOD_MS: time between two readings, 10 to 3600000 (1000).

#[path = "../skerry.rs"]
mod skerry;

use skerry::{messaging, sensor};
use std::str::FromStr;
use std::time::Duration;
use std::{env, fs, io, process, thread};

const SENSOR: &str = "ambient";
const TOPIC: &str = "telemetry/alarm";
const COUNT_FILE: &str = "/data/count";

/// When an alarm begins and ends. Nothing is announced until it is `announced`.
struct Alarm {
    above: f64,
    hysteresis: f64,
    /// What was announced last; nothing at the start.
    is_raised: Option<bool>,
}

impl Alarm {
    /// Whether there is something to announce at this value, and what.
    fn change(&self, value: f64) -> Option<bool> {
        let limit = if self.is_raised == Some(true) { self.above - self.hysteresis } else { self.above };
        let is_raised = value >= limit;
        (self.is_raised != Some(is_raised)).then_some(is_raised)
    }

    fn announced(&mut self, is_raised: bool) {
        self.is_raised = Some(is_raised);
    }
}

fn main() {
    if let Err(reason) = run() {
        eprintln!("{reason}");
        process::exit(1);
    }
}

/// Goes on until something is wrong that time does not heal.
fn run() -> Result<(), String> {
    let mut alarm = Alarm {
        above: variable("ALARM_ABOVE", 30.0)?,
        hysteresis: variable("ALARM_HYSTERESIS", 1.0)?,
        is_raised: None,
    };
    let period = Duration::from_millis(variable("ALARM_PERIOD_MS", 1000_u64)?.clamp(10, 3_600_000));
    let mut count = read_count()?;
    println!("alarm at {} and above, {count} so far", alarm.above);
    let sensor = open_sensor(period)?;
    loop {
        match sensor.read() {
            Ok(reading) => watch(&mut alarm, &mut count, &reading)?,
            Err(code) => eprintln!("sensor {SENSOR}: {code:?}"),
        }
        thread::sleep(period);
    }
}

/// The variable's value, or the default where there is none.
fn variable<Value: FromStr>(name: &str, default: Value) -> Result<Value, String> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is {text:?}, which is no number that fits")),
        Err(_) => Ok(default),
    }
}

/// Waits for a sensor that is not there yet; without a grant it never will be.
fn open_sensor(period: Duration) -> Result<sensor::Sensor, String> {
    loop {
        match sensor::open(SENSOR) {
            Ok(sensor) => return Ok(sensor),
            Err(sensor::ErrorCode::NotGranted) => return Err(format!("sensor {SENSOR}: not granted")),
            Err(code) => eprintln!("sensor {SENSOR}: {code:?}"),
        }
        thread::sleep(period);
    }
}

/// Announces what has changed. What can't be sent now is tried again with the next reading.
fn watch(alarm: &mut Alarm, count: &mut u64, reading: &sensor::Reading) -> Result<(), String> {
    let Some(is_raised) = alarm.change(reading.value) else { return Ok(()) };
    let alarms = *count + u64::from(is_raised);
    let json = format!(
        "{{\"raised\":{is_raised},\"value\":{:.3},\"above\":{},\"count\":{alarms},\"timeMs\":{}}}",
        reading.value,
        alarm.above,
        reading.time_ns / 1_000_000,
    );
    match messaging::publish(TOPIC, json.as_bytes()) {
        Ok(()) => {}
        Err(messaging::ErrorCode::RateLimited | messaging::ErrorCode::Unavailable) => return Ok(()),
        Err(code) => return Err(format!("{TOPIC}: {code:?}")),
    }
    alarm.announced(is_raised);
    if alarms != *count {
        *count = alarms;
        write_count(alarms).map_err(|error| format!("{COUNT_FILE}: {error}"))?;
    }
    println!("{} {}: alarm {}", reading.value, reading.unit, if is_raised { "raised" } else { "off" });
    Ok(())
}

fn read_count() -> Result<u64, String> {
    match fs::read_to_string(COUNT_FILE) {
        Ok(text) => text.trim().parse().map_err(|_| format!("{COUNT_FILE} holds {text:?}, which is no count")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(format!("{COUNT_FILE}: {error}")),
    }
}

/// Whole or not at all: a new file takes the old one's name.
fn write_count(count: u64) -> io::Result<()> {
    let next = format!("{COUNT_FILE}.next");
    fs::write(&next, format!("{count}\n"))?;
    fs::rename(next, COUNT_FILE)
}
