//! A server that does on each connection what a test tells it to.
#![allow(dead_code)] // Each test file is a crate of its own, and not all of them need everything.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flask_session_rs::store::Endpoint;

pub(crate) struct Scripted {
    port: u16,
    connections: Arc<AtomicUsize>,
}

/// One connection, from the server's side.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Scripted {
    /// Runs `serve` in a thread for each connection, with its number from 0 on.
    pub(crate) fn start(serve: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            let serve = Arc::new(serve);
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                let reader = BufReader::new(stream.try_clone().unwrap());
                let serve = Arc::clone(&serve);
                let number = count.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || serve(number, Peer { stream, reader }));
            }
        });
        Self { port, connections }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::tcp("127.0.0.1", self.port)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Peer {
    /// The words of the next command; None at the end.
    pub(crate) fn command(&mut self) -> Option<Vec<Vec<u8>>> {
        let words = self.number()?;
        (0..words)
            .map(|_| {
                let mut word = vec![0; self.number()? + 2];
                self.reader.read_exact(&mut word).ok()?;
                word.truncate(word.len() - 2);
                Some(word)
            })
            .collect()
    }

    fn number(&mut self) -> Option<usize> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        line.get(1..)?.trim_end().parse().ok()
    }

    /// Ends the connection with a reset: what is on its way is lost.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
    }
}
