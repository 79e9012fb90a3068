//! One OpenLDAP server for one test: on ports that were free, with people and groups of its own, ended on drop.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::program;

/// No start takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything is below this.
pub const SUFFIX: &str = "dc=example,dc=org";

/// The account that may read everything but passwords, and its password.
pub const SERVICE: &str = "cn=wharf,dc=example,dc=org";
pub const SERVICE_PASSWORD: &str = "the-service-reads";

/// The account that may change everything, and its password.
const ROOT: &str = "cn=root,dc=example,dc=org";
const ROOT_PASSWORD: &str = "the-root-writes";

/// Who says which groups somebody is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MemberOf {
    /// The overlay `memberof`: those that list them.
    Direct,
    /// The overlay `dynlist`: those too that list a group with them.
    Nested,
}

/// A running server.
pub struct Slapd {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// Starts one with an empty tree: `ou=people`, `ou=groups` and the service account.
    pub fn start(member_of: MemberOf) -> Slapd {
        let folder = tempfile::Builder::new().prefix("wharf-slapd-").tempdir().unwrap();
        let [port, tls_port] = free_ports();
        fs::create_dir(folder.path().join("data")).unwrap();
        write_certificates(folder.path());
        write_configuration(folder.path(), member_of);
        give_away(folder.path());
        let mut slapd = Slapd { child: None, folder, port, tls_port };
        slapd.start_again();
        slapd.add(&format!(
            "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n\
             dn: {SERVICE}\nobjectClass: person\nsn: Wharf\nuserPassword: {SERVICE_PASSWORD}\n\n\
             dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\n\n\
             dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\n"
        ));
        slapd
    }

    /// Starts it over the same data, once it was killed.
    pub fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let urls = format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", self.port, self.tls_port);
        let mut command = unprivileged("slapd");
        // In the foreground, and each operation in the log.
        command.env("PATH", path).args(["-d", "stats", "-h", &urls, "-f", "slapd.conf"]);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{}", program::missing("slapd", &error)));
        self.child = Some(child);
        program::wait_until("slapd listens", PATIENCE, || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("slapd ended ({status}):\n{}", self.log());
            }
            [self.port, self.tls_port]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// `ldap://…`, where StartTLS can be had.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// `ldaps://…`
    pub fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The file of the certificate that signed the server's.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Everything that it was asked.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Adds entries, in LDIF.
    pub fn add(&self, ldif: &str) {
        self.modify(&["-a"], ldif);
    }

    /// Makes changes, in LDIF.
    pub fn change(&self, ldif: &str) {
        self.modify(&[], ldif);
    }

    /// Adds somebody below `ou=people`.
    pub fn person(&self, uid: &str, password: &str) {
        self.person_at(&format!("uid={uid},ou=people,{SUFFIX}"), uid, password);
    }

    /// Adds somebody.
    pub fn person_at(&self, dn: &str, uid: &str, password: &str) {
        self.add(&format!(
            "dn: {dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             mail: {uid}@example.org\nuserPassword: {password}\n"
        ));
    }

    /// Adds a group below `ou=groups` with these members, by their distinguished names.
    pub fn group(&self, name: &str, members: &[&str]) {
        let members: String = members.iter().map(|dn| format!("member: {dn}\n")).collect();
        let dn = group(name);
        self.add(&format!("dn: {dn}\nobjectClass: groupOfNames\ncn: {name}\n{members}"));
    }

    /// Takes a member out of a group.
    pub fn take_out(&self, name: &str, member: &str) {
        let dn = group(name);
        self.change(&format!("dn: {dn}\nchangetype: modify\ndelete: member\nmember: {member}\n"));
    }

    fn modify(&self, flags: &[&str], ldif: &str) {
        let mut command = Command::new("ldapmodify");
        command.args(["-x", "-H", &self.url(), "-D", ROOT, "-w", ROOT_PASSWORD]).args(flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}", program::missing("ldapmodify", &error)));
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ldapmodify: {said}\n{ldif}\n{}", self.log());
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("slapd.log")
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "slapd's last words:\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
        self.kill();
    }
}

/// The distinguished name of somebody below `ou=people`.
pub fn person(uid: &str) -> String {
    format!("uid={uid},ou=people,{SUFFIX}")
}

/// The distinguished name of a group.
pub fn group(name: &str) -> String {
    format!("cn={name},ou=groups,{SUFFIX}")
}

fn write_configuration(folder: &Path, member_of: MemberOf) {
    let (module, overlay) = match member_of {
        MemberOf::Direct => ("memberof", "overlay memberof\nmemberof-refint TRUE\n"),
        MemberOf::Nested => (
            "dynlist",
            "overlay dynlist\ndynlist-attrset groupOfURLs memberURL member+memberOf@groupOfNames*\n",
        ),
    };
    let schemas: String = ["core", "cosine", "inetorgperson", "dyngroup"]
        .iter()
        .map(|schema| format!("include /etc/ldap/schema/{schema}.schema\n"))
        .collect();
    let configuration = format!(
        "{schemas}modulepath /usr/lib/ldap
moduleload back_mdb
moduleload {module}
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=\"{SERVICE}\" read by anonymous auth by * none
database mdb
suffix {SUFFIX}
rootdn {ROOT}
rootpw {ROOT_PASSWORD}
directory {folder}/data
dbnosync
{overlay}",
        folder = folder.display(),
    );
    fs::write(folder.join("slapd.conf"), configuration).unwrap();
}

/// An authority, and a certificate of it for this machine.
fn write_certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

/// The user whom Debian's package made for it.
const USER: &str = "openldap";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn unprivileged(name: &str) -> Command {
    if !is_root() {
        return Command::new(name);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", name]);
    command
}

/// Gives the folder to who the server runs as.
fn give_away(folder: &Path) {
    if is_root() {
        program::run(Command::new("chown").args(["-R", USER]).arg(folder));
    }
}

fn free_ports() -> [u16; 2] {
    // Both at once, so that they are not the same.
    let taken = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    taken.map(|listener| listener.local_addr().unwrap().port())
}
