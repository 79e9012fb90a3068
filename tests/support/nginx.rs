//! One nginx for one test: in front of several servers in turn, on a port that the system chose, ended on drop.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::program;
use super::registry::Registry;

/// No start, reload or end takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where nginx itself says which configuration it follows.
const GENERATION: &str = "/.nginx/generation";

/// What stands in the configuration beside the servers, by the block that it stands in.
#[derive(Clone, Copy, Default)]
pub struct Rules<'a> {
    pub main: &'a str,
    pub http: &'a str,
    pub server: &'a str,
}

/// A running nginx.
pub struct Nginx {
    master: Child,
    port: u16,
    folder: PathBuf,
    /// What stands in the configuration besides the upstreams: in its top, its `http` and its `server`.
    rules: [String; 3],
    generation: usize,
}

impl Nginx {
    /// Starts one in this folder, in front of servers at these addresses, with `rules` in its blocks.
    pub fn start(folder: &Path, upstreams: &[String], rules: Rules<'_>) -> Nginx {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = folder.to_owned();
        let rules = [rules.main, rules.http, rules.server].map(str::to_owned);
        fs::create_dir_all(&folder).unwrap();
        write_configuration(&folder, port, upstreams, &rules, 0);
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let mut master = Command::new("nginx");
        master
            .env("PATH", path)
            .args(["-e", "error.log", "-c", "nginx.conf", "-p"])
            .arg(&folder)
            // As when nginx replaces itself: it takes the listening socket over, so that its port is nobody else's.
            .env("NGINX", "0;")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let master =
            master.spawn().unwrap_or_else(|error| panic!("{}", program::missing("nginx", &error)));
        let mut nginx = Nginx { master, port, folder, rules, generation: 0 };
        nginx.wait_for_generation();
        nginx
    }

    /// `127.0.0.1:PORT`, as it stands before a repository name.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stands before servers at these addresses from now on; requests that are under way go on.
    pub fn stand_before(&mut self, upstreams: &[String]) {
        self.generation += 1;
        write_configuration(&self.folder, self.port, upstreams, &self.rules, self.generation);
        let id = Pid::from_raw(self.master.id() as i32).unwrap();
        kill_process(id, Signal::HUP).unwrap();
        self.wait_for_generation();
    }

    /// Waits until new connections are taken by who follows the newest configuration, and by nobody else.
    fn wait_for_generation(&mut self) {
        let (registry, wanted) = (Registry::at(&self.address()), self.generation.to_string());
        program::wait_until("nginx follows its configuration", PATIENCE, || {
            if let Some(status) = self.master.try_wait().unwrap() {
                panic!("nginx ended ({status}):\n{}", self.log());
            }
            let left = self.log().matches("gracefully shutting down").count();
            left >= self.generation
                && registry.get(GENERATION).is_ok_and(|reply| reply.text() == wanted)
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        program::end(&mut self.master, PATIENCE);
        if std::thread::panicking() {
            let log = self.log();
            let problems = log.lines().filter(|line| !line.contains("[notice]"));
            eprintln!("nginx's problems:\n{}", problems.collect::<Vec<_>>().join("\n"));
        }
    }
}

fn write_configuration(
    folder: &Path,
    port: u16,
    upstreams: &[String],
    rules: &[String; 3],
    generation: usize,
) {
    let [main, http, server] = rules;
    let servers: String = upstreams
        .iter()
        // One that refuses connections is asked again each time, so that turns stay turns.
        .map(|address| format!("        server {address} max_fails=0;\n"))
        .collect();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("    {what}_temp_path {what};\n"))
        .collect();
    let configuration = format!(
        "{main}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log notice;
events {{ worker_connections 1024; }}
http {{
{temporary}    access_log off;
    {http}
    upstream nodes {{
{servers}    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_connect_timeout 5s;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        location / {{ proxy_pass http://nodes; }}
        location = {GENERATION} {{ return 200 {generation}; }}
        {server}
    }}
}}
"
    );
    fs::write(folder.join("nginx.conf"), configuration).unwrap();
}
