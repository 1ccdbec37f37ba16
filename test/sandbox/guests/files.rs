//! A `wasi:cli/command` in Rust that uses the standard library as any program does: arguments, environment, standard
//! input, time, random numbers, and files below the folder that its first argument names.
//!
//! Prints a line per check, ends with code 0 if all of them held and panics otherwise.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("arguments: {arguments:?}");
    println!("variable: {:?}", std::env::var("GUEST_VARIABLE").ok());
    time();
    random();
    input();
    match arguments.first() {
        Some(folder) => files(Path::new(folder)),
        None => no_files(),
    }
    println!("done");
}

fn time() {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    assert!(start.elapsed() >= Duration::from_millis(20), "slept too short");
    assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() > 1_700_000_000);
    println!("time: ok");
}

fn random() {
    let numbers: Vec<u64> = (0..2).map(|_| RandomState::new().build_hasher().finish()).collect();
    assert_ne!(numbers[0], numbers[1]);
    println!("random: ok");
}

fn input() {
    let lines: Vec<String> = io::stdin().lock().lines().map(|line| line.unwrap()).collect();
    println!("input: {lines:?}");
}

fn no_files() {
    assert!(File::open("/etc/passwd").is_err());
    assert!(File::open("file").is_err());
    println!("no files: ok");
}

fn files(root: &Path) {
    read_and_write(root);
    folders(root);
    links(root);
    no_way_out(root);
    println!("files: ok");
}

fn read_and_write(root: &Path) {
    let path = root.join("text");
    fs::write(&path, "first line\n").unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"second line\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first line\nsecond line\n");

    let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    file.write_all(b"LINE").unwrap();
    file.seek(SeekFrom::End(-5)).unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "line\n");
    file.set_len(10).unwrap();
    file.sync_all().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first LINE");
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.is_file() && metadata.len() == 10);
    assert!(metadata.modified().unwrap() > UNIX_EPOCH);

    let big: Vec<u8> = (0..300_000u32).map(|index| (index % 251) as u8).collect();
    fs::write(root.join("big"), &big).unwrap();
    assert_eq!(fs::read(root.join("big")).unwrap(), big);
    fs::remove_file(root.join("big")).unwrap();

    let again = OpenOptions::new().write(true).create_new(true).open(&path);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(File::open(root.join("absent")).unwrap_err().kind(), ErrorKind::NotFound);
}

fn folders(root: &Path) {
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/leaf"), "leaf").unwrap();
    fs::rename(root.join("a/b"), root.join("a/d")).unwrap();
    assert_eq!(fs::read_to_string(root.join("a/d/c/../c/./leaf")).unwrap(), "leaf");
    let mut names: Vec<String> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a", "text"]);
    assert!(fs::remove_dir(root.join("a")).is_err());
    fs::remove_dir_all(root.join("a")).unwrap();
    assert!(!root.join("a").exists());
}

fn links(root: &Path) {
    fs::hard_link(root.join("text"), root.join("twin")).unwrap();
    fs::write(root.join("text"), "shared").unwrap();
    assert_eq!(fs::read_to_string(root.join("twin")).unwrap(), "shared");
    fs::remove_file(root.join("text")).unwrap();
    fs::remove_file(root.join("twin")).unwrap();
}

fn no_way_out(root: &Path) {
    for path in ["../outside", "../../../../etc/passwd"] {
        assert!(File::open(root.join(path)).is_err(), "{path} can be opened");
    }
    assert!(File::open("/etc/passwd").is_err());
}
