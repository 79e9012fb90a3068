//! A program at a terminal of its own, as somebody sits at one: what it shows, what is typed, whether typing shows.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// Long enough for a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Terminal {
    /// The side that a person sits at.
    person: File,
    child: Child,
    pieces: Receiver<Vec<u8>>,
    /// All that was shown so far.
    shown: String,
}

impl Terminal {
    /// Starts a program at a new terminal, from which Ctrl-C reaches it.
    pub fn start(command: &Command) -> Terminal {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let own = File::from(open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let own = || own.try_clone().unwrap();
        let child = session.stdin(own()).stdout(own()).stderr(own()).spawn().unwrap();
        // This process keeps none of the program's side, so that its end is the end of what is shown.
        drop(session);
        let person = File::from(person);
        let mut reader = person.try_clone().unwrap();
        let (sender, pieces) = channel();
        thread::spawn(move || {
            let mut piece = vec![0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { person, child, pieces, shown: String::new() }
    }

    /// Waits until this is shown behind all that was waited for.
    pub fn shows(&mut self, text: &str) {
        let mut from = 0;
        loop {
            if let Some(at) = self.shown[from..].find(text) {
                from += at;
                self.shown.drain(..from + text.len());
                return;
            }
            from = 0;
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.shown.push_str(&String::from_utf8(piece).unwrap()),
                Err(error) => panic!("{error}: {text:?} is not in {:?}", self.shown),
            }
        }
    }

    /// The rest of the line behind all that was waited for, once it is there.
    pub fn line(&mut self) -> String {
        while !self.shown.contains('\n') {
            let piece = self.pieces.recv_timeout(PATIENCE).unwrap();
            self.shown.push_str(&String::from_utf8(piece).unwrap());
        }
        let line = self.shown.lines().next().unwrap().to_owned();
        self.shown.drain(..line.len());
        line
    }

    /// Types something, such as a line with its end, or `\x03` for Ctrl-C.
    pub fn types(&mut self, text: &str) {
        self.person.write_all(text.as_bytes()).unwrap();
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.person).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until the program has ended: its exit code, and what it showed behind all that was waited for.
    pub fn ends(&mut self) -> (i32, String) {
        loop {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.shown.push_str(&String::from_utf8(piece).unwrap()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:?}", self.shown),
            }
        }
        let code = self.child.wait().unwrap().code().unwrap();
        (code, std::mem::take(&mut self.shown).replace("\r\n", "\n"))
    }
}
