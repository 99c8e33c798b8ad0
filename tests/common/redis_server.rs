//! A redis-server of a test's own: on a free port of this machine and on a unix socket, stopped with its owner.
#![allow(dead_code)] // Each test file is a crate of its own, and not all of them need everything.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use flask_session_rs::store::Endpoint;

pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    directory: Directory,
    settings: Vec<String>,
}

/// A directory that goes with its owner.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("session-store-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with more settings, each a word of its command line.
    pub(crate) fn with(settings: &[&str]) -> Self {
        let directory = Directory::new();
        let settings: Vec<_> = settings.iter().map(ToString::to_string).collect();
        // Between the look for a free port and the start, somebody else may take it.
        for _ in 0..20 {
            let port = free_port();
            let mut process = spawn(port, &directory, &settings);
            if answers(&mut process, &directory) {
                return Self {
                    process,
                    port,
                    directory,
                    settings,
                };
            }
        }
        panic!("redis-server does not start with {settings:?}");
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// A new process at the port of the old one.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.process = spawn(self.port, &self.directory, &self.settings);
        assert!(answers(&mut self.process, &self.directory));
    }

    pub(crate) fn process_id(&self) -> i32 {
        self.process.id().cast_signed()
    }

    pub(crate) fn tcp(&self) -> Endpoint {
        Endpoint::tcp("127.0.0.1", self.port)
    }

    pub(crate) fn unix(&self) -> Endpoint {
        Endpoint::unix(self.directory.path().join("socket"))
    }

    /// What the server answers to a command of the test's, over a connection of the test's.
    pub(crate) fn ask(&self, command: &[&str]) -> redis::Value {
        let url = format!("unix://{}/socket", self.directory.path().display());
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        let mut packed = redis::cmd(command[0]);
        for word in &command[1..] {
            packed.arg(*word);
        }
        packed.query(&mut connection).unwrap()
    }

    /// The connections that the server has, that of the question included.
    pub(crate) fn clients(&self) -> usize {
        // The end of one is noticed a moment later.
        std::thread::sleep(Duration::from_millis(50));
        match self.ask(&["CLIENT", "LIST"]) {
            redis::Value::BulkString(list) => memchr::memchr_iter(b'\n', &list).count(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn number(&self, command: &[&str]) -> i64 {
        match self.ask(command) {
            redis::Value::Int(number) => number,
            other => panic!("{other:?} to {command:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, directory: &Directory, settings: &[String]) -> Child {
    let socket = directory.path().join("socket");
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]);
    command.arg("--port").arg(port.to_string());
    command.arg("--unixsocket").arg(socket);
    command.arg("--dir").arg(directory.path());
    command.args(settings).stdout(Stdio::null());
    command.spawn().unwrap_or_else(|error| {
        panic!(
            "these tests need redis-server ({error}): install it with `apt-get install redis-server`, \
             `dnf install redis` or `brew install redis`"
        )
    })
}

/// Whether it listens; false once it has ended. Asked at its own socket: at the port, another server could answer.
fn answers(process: &mut Child, directory: &Directory) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if UnixStream::connect(directory.path().join("socket")).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}
