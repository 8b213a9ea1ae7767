//! A real web server that answers with its own name.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::host::Host;
use super::process::Process;
use super::wait::wait_until;

const PORT: u16 = 80;
const TIME_TO_START: Duration = Duration::from_secs(10);

/// nginx on port 80 of every address of a host.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it with its files in a new folder inside `folder`, and waits until it accepts connections. It answers
    /// every request with `name` and a line feed.
    ///
    /// # Errors
    /// When nginx is not installed or does not come up; the error carries what it wrote.
    pub fn start(host: &Host, folder: &Path, name: &str) -> Result<Self> {
        let prefix = folder.join(format!("nginx-{}", host.host_name()));
        fs::create_dir_all(&prefix).with_context(|| format!("create {}", prefix.display()))?;
        let configuration = prefix.join("nginx.conf");
        fs::write(&configuration, self::configuration(name))
            .with_context(|| format!("write {}", configuration.display()))?;

        let mut command = host.command("nginx")?;
        command.args(["-e", "error.log", "-p"]).arg(&prefix).arg("-c").arg(&configuration);
        let mut process = Process::spawn(command)?;
        wait_until_it_accepts(host, &mut process)?;
        Ok(Self { process })
    }

    /// The process.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Leaves it running after the end of this process, for a lab that is kept.
    pub fn leave_running(self) {
        self.process.leave_running();
    }
}

fn wait_until_it_accepts(host: &Host, process: &mut Process) -> Result<()> {
    let awaited = format!("nginx on {} to accept connections", host.host_name());
    wait_until(&awaited, TIME_TO_START, || {
        match host.enter(|| TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))) {
            Ok(Ok(_)) => Ok(Ok(())),
            _ if !process.is_running().unwrap_or(true) => Ok(Err(process.failure("ended at its start"))),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error),
        }
    })?
}

/// All paths are relative to the prefix.
fn configuration(name: &str) -> String {
    format!(
        "daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{
    worker_connections 1024;
}}
http {{
    access_log access.log;
    client_body_temp_path client_body;
    fastcgi_temp_path fastcgi;
    proxy_temp_path proxy;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {{
        listen 0.0.0.0:{PORT};
        default_type text/plain;
        return 200 \"{name}\\n\";
    }}
}}
"
    )
}
