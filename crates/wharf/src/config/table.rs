//! The table of all settings: the one place where a setting is declared.

use std::net::SocketAddr;

use wharf_auth::ldap::{Filter, ServerUrl};
use wharf_blobs::CdnUrl;
use wharf_core::limits::Rate;
use wharf_core::metadata::{ExternalName, ProviderName};
use wharf_core::permissions::Principal;
use wharf_http::origin::ExternalUrl;
use wharf_jobs::SyslogReceiver;
use wharf_metadata::PostgresUrl;
use wharf_oci::{NamePattern, RepositoryName};

use super::access::{ServiceName, SignUp};
use super::declare::{Setting, read, settings, shown};
use super::delivery::{CdnSignature, DeliveryMode, PathPrefix};
use super::layers::Layers;
use super::ldap::AttributeName;
use super::logging::{AccessLog, LogFilter, LogFormat};
use super::network::{Network, TraceEndpoint};
use super::oidc::{ClaimValue, Each, Hidden, Text};
use super::place::{AdoptedUrl, BlobsUrl, CacheUrl, DatabaseUrl, FilePath};
use super::problem::Problem;
use super::quantity::{Bytes, Count, Period, Ratio, Timeout};
use super::role::Role;
use super::several::{List, Optional};
use super::workloads::{IssuerFile, IssuerUrl};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * 24 * 60 * MINUTE;

settings! {
    /// The data folder, where Wharf keeps everything that has no other place.
    data: Data {
        /// The folder; made when it is not there. One process uses it at a time.
        folder: FilePath = "./wharf-data" => "the path of a folder, such as /var/lib/wharf";
    }

    /// Where metadata is kept: repositories, tags, manifests, uploads.
    database: Database {
        /// The database; empty is a SQLite file in the data folder.
        url: DatabaseUrl = "" (secret)
            => "empty, a SQLite file such as sqlite:///var/lib/wharf/metadata.db, or a PostgreSQL database such as postgres://user:password@host/wharf";
        /// A way to the same PostgreSQL database around a PgBouncer, for migrations; empty is `database.url`.
        direct_url: Optional<PostgresUrl> = "" (secret)
            => "empty, or a PostgreSQL database such as postgres://user:password@host/wharf";
        /// Streaming replicas of that database, which pulls and lists are read from.
        replica_urls: List<PostgresUrl> = "" (secret)
            => "PostgreSQL databases with commas between them, such as postgres://user:password@host/wharf";
        /// Whether a start brings the schema of a PostgreSQL database up to date; else `wharf migrate` does.
        migrate: bool = "true" => "true or false";
        /// The most connections to PostgreSQL that this process keeps, and as many to each replica.
        connections: Count<1, 1000> = "16" => "a number from 1 to 1000";
        /// The longest that a transaction on PostgreSQL may take with all its tries; one statement may take half of that,
        /// a new connection a quarter.
        timeout: Period<1_000, HOUR> = "20s" => "a time from 1s to 1h, such as 20s";
        /// Certificates to verify the PostgreSQL server's by, a PEM file; empty is the system's.
        root_certificates: Optional<FilePath> = "" => "empty, or the path of a PEM file";
    }

    /// Where blobs are kept.
    blobs: Blobs {
        /// The object store; empty is files in the data folder.
        url: BlobsUrl = "" (secret)
            => "empty, a folder such as file:///srv/blobs, or a bucket such as s3://bucket/prefix, gs://… or az://…";
        /// The longest that a request to a bucket may take with all its tries; one by which the bucket copies may take five
        /// times that, and a read may bring nothing for half of it.
        timeout: Period<1_000, HOUR> = "60s" => "a time from 1s to 1h, such as 60s";
        /// The store of another registry that is adopted where it lies (docs/adopt.md): where its `docker/registry/v2` is.
        adopted: Optional<AdoptedUrl> = "" (secret)
            => "empty, a folder such as file:///var/lib/registry, or a bucket such as s3://bucket/prefix";
        /// How much of it is read a second, at most, to verify blobs by their digests.
        adopted_rate: Bytes<MIB, TIB> = "100MiB" => "a size from 1MiB to 1TiB, such as 100MiB";
        /// Whether adopted blobs that nothing here needs any more are deleted there. Only where the other registry serves
        /// nothing any more, and all of its repositories were adopted.
        adopted_delete: bool = "false" => "true or false";
    }

    /// What is remembered to answer faster. Losing it loses speed, nothing else.
    cache: Cache {
        /// Where the cache is.
        url: CacheUrl = "memory:" (secret)
            => "memory:, or a Redis that nodes share, such as redis://host";
        /// How long Redis may take to answer: longer than that, and the database is faster.
        timeout: Period<1, 10_000> = "100ms" => "a time from 1ms to 10s, such as 100ms";
        /// The most memory that the cache in this process takes.
        size: Bytes<0, TIB> = "64MiB" => "a size from 0 to 1TiB, such as 64MiB";
        /// How long a value is kept at most.
        life: Period<0, YEAR> = "5m" => "a time from 0s to 365d, such as 5m";
        /// Repositories whose tags may be a little old, which spares a question to Redis; `*` stands for any text.
        eventual: List<NamePattern> = ""
            => "patterns of names with commas between them, such as mirror/*";
        /// How old.
        eventual_life: Period<0, YEAR> = "30s" => "a time from 0s to 365d, such as 30s";
    }

    /// The HTTP server.
    http: Http {
        /// The address and port to serve on; port 0 takes a free one.
        listen: SocketAddr = "127.0.0.1:5000" => "an address and port, such as 127.0.0.1:5000";
        /// Serve everyone who can connect: needed to listen on more than this machine.
        open: bool = "false" => "true or false";
        /// The URL that clients use, where a proxy stands in front; empty follows each request.
        external_url: Optional<ExternalUrl> = ""
            => "empty, or a URL without a path, such as https://registry.example.com";
        /// The networks whose `Forwarded` and `X-Forwarded-*` headers are believed.
        trusted_proxies: List<Network> = ""
            => "networks with commas between them, such as 10.0.0.0/8,::1";
        /// The certificate chain for TLS, a PEM file; goes with `http.tls_key`.
        tls_certificate: Optional<FilePath> = "" => "empty, or the path of a PEM file";
        /// The private key for TLS, a PEM file; goes with `http.tls_certificate`.
        tls_key: Optional<FilePath> = "" => "empty, or the path of a PEM file";
        /// The most connections at one time; more are answered 503. Fewer where the system lets the process
        /// open too few files.
        max_connections: Count<1, 1_000_000> = "10000" => "a number from 1 to 1000000";
        /// The longest wait for the complete headers of a request.
        header_timeout: Timeout = "10s" => "a time from 1ms to 24h, such as 10s";
        /// How long a connection without a request is kept.
        idle_timeout: Timeout = "75s" => "a time from 1ms to 24h, such as 75s";
        /// The longest pause inside the body of a request.
        body_stall_timeout: Timeout = "30s" => "a time from 1ms to 24h, such as 30s";
        /// The least bytes a second that the body of a request must bring; 0 sets no limit.
        min_body_rate: Bytes<0, GIB> = "512" => "a size from 0 to 1GiB (a second), such as 512";
        /// The longest wait for a client that takes nothing of a reply.
        write_stall_timeout: Timeout = "60s" => "a time from 1ms to 24h, such as 60s";
        /// The least bytes a second that a client must take of a reply, on average over the last ten minutes; 0 sets no limit.
        min_reply_rate: Bytes<0, GIB> = "512" => "a size from 0 to 1GiB (a second), such as 512";
        /// How long a stop is only announced (`/readyz`) before nothing new is accepted, so that load
        /// balancers notice.
        stop_delay: Period<0, HOUR> = "0s" => "a time from 0s to 1h, such as 15s";
        /// How long requests may go on once nothing new is accepted.
        drain_timeout: Period<0, YEAR> = "30s" => "a time from 0s to 365d, such as 30s";
        /// How long a proxy may keep what a tag names (`Cache-Control`); 0s asks each time.
        tag_max_age: Period<0, YEAR> = "0s" => "a time from 0s to 365d, such as 60s";
    }

    /// What this process does.
    node: Node {
        /// Serve the registry, do background work, issue access tokens, or several of it. Health is served always.
        roles: List<Role> = "registry,jobs,token"
            => "registry, jobs, token, or several with commas between them";
    }

    /// Who may do what.
    access: Access {
        /// Whether everyone may do only what they were granted; else everyone may do everything.
        control: bool = "false" => "true or false";
        /// The folder of the keys that sign and verify access tokens, each an RSA key in a PEM file; empty is `keys`
        /// in the data folder, where a first one is made.
        keys: Optional<FilePath> = "" => "empty, or the path of a folder";
        /// What the registry calls itself in challenges and tokens; the same on all nodes.
        service: ServiceName = "wharf" => "letters, digits, - . _ : and /, such as registry.example.com";
        /// How long an access token is good for: a right that was taken away ends no later.
        token_life: Period<30_000, HOUR> = "5m" => "a time from 30s to 1h, such as 5m";
        /// How old what is known of somebody's rights may be when a token is issued; the token lives so much shorter. `0s` asks the
        /// database for each.
        token_cache: Period<0, 10_000> = "0s" => "a time from 0s to 10s, such as 5s";
        /// The address and port, in a private network, that tell other services who may do what; empty tells nobody.
        decision_listen: Optional<SocketAddr> = "" => "empty, or an address and port, such as 10.0.0.5:5100";
        /// The file of the secret that those services show.
        decision_secret_file: Optional<FilePath> = "" => "empty, or the path of a file";
        /// How old what they are told may be.
        decision_cache: Period<0, MINUTE> = "5s" => "a time from 0s to 1m, such as 5s";
        /// Who may make an account for themselves: everyone, who has an invitation, or nobody.
        sign_up: SignUp = "invited" => "open, invited or closed";
        /// Where other nodes issue tokens, if this one does not: what stands before `/token`.
        token_url: Optional<ExternalUrl> = ""
            => "empty, or a URL without a path, such as https://auth.example.com";
    }

    /// Workloads that log in by tokens of other issuers, such as CI systems and clusters.
    workloads: Workloads {
        /// Whose tokens may stand for robots: each as its tokens name it in `iss`. Keys are found by discovery.
        issuers: List<IssuerUrl> = ""
            => "https URLs with commas between them, such as https://token.actions.githubusercontent.com";
        /// The keys of issuers that cannot be reached, as JWK sets; the issuers need not be named again.
        jwks_files: List<IssuerFile> = ""
            => "ISSUER=FILE, or several with commas between them, such as https://k8s.example.com=/etc/wharf/k8s.json";
        /// How long a workload goes on after one login: what it refreshes by ends then.
        token_life: Period<60_000, { 24 * HOUR }> = "1h" => "a time from 1m to 24h, such as 1h";
    }

    /// A directory (LDAP, Active Directory) whose people log in by their names and passwords there.
    ldap: Ldap {
        /// Its servers: one that does not answer is followed by the next. Empty is no directory.
        urls: List<ServerUrl> = ""
            => "ldaps://HOST or ldap://HOST, or several with commas between them, such as ldaps://dc1.example.com,ldaps://dc2.example.com";
        /// What the directory is called where users and groups of it are named.
        provider: ProviderName = "ldap" => "1 to 32 lower-case letters, digits and -";
        /// Whether servers of `ldap://` are asked for TLS before anything else is said (StartTLS).
        start_tls: bool = "false" => "true or false";
        /// Whether passwords may be sent IN THE CLEAR to servers of `ldap://`, readable by everyone on the way.
        plaintext: bool = "false" => "true or false";
        /// Certificates to verify the servers' by, a PEM file; empty is the system's.
        ca_file: Optional<FilePath> = "" => "empty, or the path of a PEM file";
        /// How long one server may take for a login, and a login may wait for its turn.
        timeout: Period<100, MINUTE> = "5s" => "a time from 100ms to 1m, such as 5s";
        /// How many logins the directory is asked about at once; each has a connection of its own.
        at_once: Count<1, 1000> = "16" => "a number from 1 to 1000";
        /// The distinguished name of the account that searches; empty searches as nobody.
        bind_dn: Optional<String> = "" => "empty, or a name such as cn=wharf,ou=services,dc=example,dc=com";
        /// The file of its password.
        bind_password_file: Optional<FilePath> = "" => "empty, or the path of a file";
        /// Its password, if that is not in a file.
        bind_password: Optional<Hidden> = "" (secret) => "empty, or a password";
        /// Where people are: the entry that all of them are below.
        base: Optional<String> = "" => "empty, or a name such as ou=people,dc=example,dc=com";
        /// Which entry a name is; exactly one may be found.
        filter: Filter = "(uid={name})" => "a filter with {name} in it, such as (&(objectClass=user)(sAMAccountName={name}))";
        /// The attribute by which somebody is known again, whatever else changes.
        subject_attribute: AttributeName = "entryUUID" => "an attribute, such as entryUUID, objectGUID or ipaUniqueID";
        /// The attribute that a new user is called by.
        name_attribute: AttributeName = "uid" => "an attribute, such as uid or sAMAccountName";
        /// The attribute of an address.
        mail_attribute: AttributeName = "mail" => "an attribute, such as mail";
        /// The attribute that lists somebody's groups.
        member_of_attribute: AttributeName = "memberOf" => "an attribute, such as memberOf";
        /// Where groups are searched, in place of reading them from the entry.
        group_base: Optional<String> = "" => "empty, or a name such as ou=groups,dc=example,dc=com";
        /// Which groups somebody is in: `{dn}` is the name of their entry, `{name}` their value of `ldap.name_attribute`.
        group_filter: Filter = "(member={dn})"
            => "a filter with {dn} or {name} in it, such as (member:1.2.840.113556.1.4.1941:={dn})";
        /// The attribute that groups are named by, where they are searched; empty is their distinguished name.
        group_attribute: Optional<AttributeName> = "" => "empty, or an attribute such as cn";
        /// The group that everyone who logs in must be in; empty lets in all.
        required_group: Optional<String> = "" => "empty, or a group as the directory names it";
        /// Whether somebody who logs in for the first time becomes a user.
        create_users: bool = "true" => "true or false";
        /// How long a password that was right is right without the directory being asked again; 0s asks each time.
        remember: Period<0, { 10 * MINUTE }> = "1m" => "a time from 0s to 10m, such as 1m";
    }

    /// Identity providers at which people log in, by OpenID Connect: each has a name here, and each setting is given for each,
    /// as `NAME=VALUE`. In a file each may have a section of its own, such as `[oidc.keycloak]`.
    oidc: Oidc {
        /// Who it is, byte by byte as its ID tokens say in `iss`. All else is found by discovery.
        issuer: Each<IssuerUrl> = ""
            => "NAME=URL, or several with commas between them, such as keycloak=https://sso.example.com/realms/main";
        /// What it calls this registry.
        client_id: Each<Text> = "" => "NAME=TEXT, or several with commas between them, such as keycloak=wharf";
        /// What it knows this registry by, from the environment; a public client has none. One with a comma needs a file.
        client_secret: Each<Hidden> = "" (secret) => "NAME=SECRET, or several with commas between them";
        /// The same in a file.
        client_secret_file: Each<FilePath> = ""
            => "NAME=FILE, or several with commas between them, such as keycloak=/etc/wharf/keycloak-secret";
        /// What it is called on its button; its name where nothing is said.
        label: Each<Text> = "" => "NAME=TEXT, or several with commas between them, such as keycloak=Example Inc.";
        /// What is asked of it; `openid profile email` where nothing is said.
        scopes: Each<Text> = ""
            => "NAME=SCOPES with spaces between them, such as dex=openid profile email groups";
        /// The claim that says who somebody is for ever; `sub` where nothing is said.
        subject_claim: Each<Text> = "" => "NAME=CLAIM, or several with commas between them, such as entra=oid";
        /// The claim that says what somebody would like to be called; `preferred_username` where nothing is said.
        name_claim: Each<Text> = "" => "NAME=CLAIM, or several with commas between them, such as dex=name";
        /// The claim with somebody's groups, which fill teams; `groups` where nothing is said.
        groups_claim: Each<Text> = ""
            => "NAME=CLAIM, or several with commas between them, such as keycloak=realm_access.roles";
        /// Groups of which somebody must be in one to log in.
        required_groups: Each<ExternalName> = ""
            => "NAME=GROUP, or several with commas between them, such as keycloak=/registry";
        /// Claims that somebody must have to log in; of several values for one claim one is enough.
        required_claims: Each<ClaimValue> = ""
            => "NAME=CLAIM=VALUE, or several with commas between them, such as google=hd=example.com";
        /// Whether who comes for the first time becomes a user; else only those log in to whom an identity was given.
        create_users: Each<bool> = "" => "NAME=true or NAME=false, or several with commas between them";
    }

    /// People with a browser, on nodes that issue tokens.
    browser: Browser {
        /// Whether they may log in by a password.
        passwords: bool = "true" => "true or false";
        /// How long a session lasts at most.
        session_life: Period<MINUTE, { 90 * DAY }> = "7d" => "a time from 1m to 90d, such as 7d";
        /// How long a session lasts that is not used, to five minutes.
        session_idle: Period<MINUTE, { 90 * DAY }> = "12h" => "a time from 1m to 90d, such as 12h";
        /// How long the token works that a device gets which a person let in.
        device_token_life: Period<HOUR, YEAR> = "90d" => "a time from 1h to 365d, such as 90d";
    }

    /// What the registry takes and gives.
    registry: Registry {
        /// The largest manifest taken.
        max_manifest_size: Bytes<KIB, { 64 * MIB }> = "4MiB"
            => "a size from 1KiB to 64MiB, such as 4MiB";
        /// The largest blob taken.
        max_blob_size: Bytes<KIB, { 1024 * TIB }> = "100GiB"
            => "a size from 1KiB to 1024TiB, such as 100GiB";
        /// Whether tags, manifests and blobs can be deleted.
        delete: bool = "true" => "true or false";
        /// The most names in one page of a list.
        page_size: Count<1, 10_000> = "1000" => "a number from 1 to 10000";
    }

    /// Who carries blobs to clients, where it need not be this node.
    delivery: Delivery {
        /// Who sends blobs: this node, the object store or CDN by a redirect, or the proxy in front by a header.
        mode: DeliveryMode = "stream" => "stream, redirect, x-accel or x-sendfile";
        /// Smaller blobs are sent by this node.
        least_size: Bytes<0, TIB> = "64KiB" => "a size from 0 to 1TiB, such as 64KiB";
        /// Networks whose clients get every blob from this node, as they cannot reach the store.
        streamed_networks: List<Network> = ""
            => "networks with commas between them, such as 10.0.0.0/8,::1";
        /// Repositories whose blobs are sent by this node; `*` stands for any text.
        streamed_repositories: List<NamePattern> = ""
            => "patterns of names with commas between them, such as team/*,*/cache";
        /// How long a signed URL can be used to begin a read.
        url_lifetime: Period<1_000, { 12 * 60 * MINUTE }> = "5m" => "a time from 1s to 12h, such as 5m";
        /// Where the proxy in front has the objects, for `x-accel`.
        proxy_prefix: PathPrefix = "/wharf-objects/"
            => "a path with a slash at both ends, such as /wharf-objects/";
        /// The CDN to redirect to in place of the store: where it serves the store's objects.
        cdn_url: Optional<CdnUrl> = ""
            => "empty, or an http or https URL without a query, such as https://cdn.example.com/blobs";
        /// How the CDN knows that a URL was signed here.
        cdn_signature: CdnSignature = "hmac" => "hmac or cloudfront";
        /// The name of the key by which URLs of the CDN are signed.
        cdn_key_id: Optional<String> = "" => "empty, or the name of a key";
        /// The file of that key: a secret of at least 32 bytes, or for CloudFront an RSA private key in PEM.
        cdn_key_file: Optional<FilePath> = "" => "empty, or the path of a file";
    }

    /// Resumable uploads of blobs.
    uploads: Uploads {
        /// How long an upload is kept after the last bytes came.
        lifetime: Period<SECOND, YEAR> = "12h" => "a time from 1s to 365d, such as 12h";
        /// How long putting the bytes of a finished upload in place may take.
        move_time_limit: Period<SECOND, DAY> = "10m" => "a time from 1s to 1d, such as 10m";
        /// The most uploads that receive bytes at one time.
        max_in_flight: Count<1, 100_000> = "128" => "a number from 1 to 100000";
        /// The least bytes that a chunk before the last should hold, told to clients; 0 tells none.
        min_chunk: Bytes<0, GIB> = "0" => "a size from 0 to 1GiB, such as 5MiB";
        /// Whether a client may send a blob in parts, side by side: straight into a bucket of S3, or through this node into files.
        direct: bool = "true" => "true or false";
    }

    /// Garbage collection: what nothing needs any more, and when it goes.
    garbage: Garbage {
        /// How long something stays that was deleted or that nothing needs any more, and can be brought back. Its bytes stay as long again.
        grace: Period<SECOND, { 365 * DAY }> = "24h" => "a time from 1s to 365d, such as 24h";
        /// After how long a manifest goes that no tag needs; empty keeps it.
        untagged_after: Optional<Period<SECOND, { 10 * YEAR }>> = ""
            => "empty, or a time from 1s to 3650d, such as 30d";
        /// How often it is looked for.
        interval: Period<100, DAY> = "5m" => "a time from 100ms to 1d, such as 5m";
        /// How many objects are deleted a second at most; empty is as many as the store does.
        deletes_per_second: Optional<Count<1, 1_000_000>> = ""
            => "empty, or a number from 1 to 1000000";
    }

    /// Scrubbing: whether what is stored is what is known of it, and is undamaged.
    scrub: Scrub {
        /// Whether nodes of the role `jobs` scrub.
        enabled: bool = "true" => "true or false";
        /// How long to rest when all objects and all references were looked at.
        interval: Period<100, { 365 * DAY }> = "1d" => "a time from 100ms to 365d, such as 1d";
        /// How long to rest when the contents of all blobs, or of all manifests, were read and hashed.
        contents_interval: Period<100, { 10 * YEAR }> = "30d"
            => "a time from 100ms to 3650d, such as 30d";
        /// How many bytes of contents are read a second, at most; a copy by which a blob is repaired may be read faster.
        rate: Bytes<KIB, TIB> = "10MiB" => "a size from 1KiB to 1TiB, such as 10MiB";
    }

    /// The log of events: what changed, in the order in which it did.
    events: Events {
        /// How long events are kept that all their readers have passed.
        keep: Period<HOUR, YEAR> = "7d" => "a time from 1h to 365d, such as 7d";
        /// How long events are kept that a reader has not passed; it goes on with what is left then.
        keep_at_most: Period<HOUR, YEAR> = "30d" => "a time from 1h to 365d, such as 30d";
    }

    /// How often something may be asked for, as `NUMBER/TIME`.
    limits: Limits {
        /// How many tokens one client (an IPv4 address, or an IPv6 network of 64 bits) may ask for.
        token_requests: Optional<Rate> = "600/1m" => "empty, or a number and a time, such as 600/1m";
        /// How many logins of one name from one client may fail: three times as many in twelve times the time, ten times in
        /// 288 times; five times as many over all names. Over all clients twenty times as many, and then a name logs in by its
        /// password only where it did in the last weeks.
        failed_logins: Optional<Rate> = "10/5m" => "empty, or a number and a time, such as 10/5m";
        /// How many changes a user or a robot may ask for at the management API, wherever they come from.
        changes: Optional<Rate> = "600/10m" => "empty, or a number and a time, such as 600/10m";
        /// How many images one client may pull that does not log in.
        anonymous_pulls: Optional<Rate> = "" => "empty, or a number and a time, such as 100/6h";
        /// How many images a user or a robot may pull, wherever they come from.
        principal_pulls: Optional<Rate> = "" => "empty, or a number and a time, such as 200/6h";
        /// How many images may be pulled from the repositories of one namespace, by all together.
        namespace_pulls: Optional<Rate> = "" => "empty, or a number and a time, such as 100000/1h";
        /// How many manifests one client may push that does not log in.
        anonymous_pushes: Optional<Rate> = "" => "empty, or a number and a time, such as 100/1h";
        /// How many manifests a user or a robot may push.
        principal_pushes: Optional<Rate> = "" => "empty, or a number and a time, such as 600/1h";
        /// How many manifests may be pushed to the repositories of one namespace, by all together.
        namespace_pushes: Optional<Rate> = "" => "empty, or a number and a time, such as 6000/1h";
        /// Users and robots whose pulls and pushes are neither limited nor counted, nor their changes limited.
        exempt_principals: List<Principal> = ""
            => "users and robots with commas between them, such as user:ada,robot:team+ci";
        /// Networks whose clients are not limited, and whose pulls and pushes are not counted. Failed logins of one name over
        /// all clients are.
        exempt_networks: List<Network> = ""
            => "networks with commas between them, such as 10.0.0.0/8,::1";
    }

    /// The audit log: who changed accounts, grants and repositories.
    audit: Audit {
        /// How long it is kept.
        keep: Period<HOUR, { 10 * YEAR }> = "400d" => "a time from 1h to 3650d, such as 400d";
        /// The syslog receiver that each record is sent to; empty sends none.
        syslog: Optional<SyslogReceiver> = ""
            => "empty, tls://HOST:PORT, tcp://HOST:PORT, udp://HOST:PORT, or unix:///dev/log";
        /// Certificates to verify a `tls://` receiver's by, a PEM file; empty is the system's.
        syslog_ca_file: Optional<FilePath> = "" => "empty, or the path of a PEM file";
    }

    /// Tags, and where they stood before.
    tags: Tags {
        /// How far back it is known where each tag stood; empty is for ever. Where one stands now, and why, always is.
        keep_history: Optional<Period<HOUR, { 10 * YEAR }>> = ""
            => "empty, or a time from 1h to 3650d, such as 180d";
    }

    /// Policies of retention, which drop tags of the repositories that have one.
    retention: Retention {
        /// How long it rests between two runs of all policies that are enabled.
        interval: Period<1000, { 30 * DAY }> = "1d" => "a time from 1s to 30d, such as 1d";
        /// How many tags a second are dropped in one repository, at most.
        rate: Count<1, 10_000> = "100" => "a number from 1 to 10000";
    }

    /// How often manifests are pulled and pushed.
    counts: Counts {
        /// Whether this process counts.
        enabled: bool = "true" => "true or false";
        /// How long counts are kept.
        keep: Period<DAY, { 10 * YEAR }> = "400d" => "a time from 1d to 3650d, such as 400d";
        /// How often what was counted is written to the database: a crash loses the counts of so long.
        flush: Period<100, { 10 * MINUTE }> = "5s" => "a time from 100ms to 10m, such as 5s";
    }

    /// How much repositories and namespaces hold.
    usage: Usage {
        /// How often the counters are compared with the rows, and what is stored is counted.
        count_interval: Period<MINUTE, { 30 * DAY }> = "6h" => "a time from 1m to 30d, such as 6h";
    }

    /// Prometheus metrics.
    metrics: Metrics {
        /// The address and port that serve `/metrics`; empty serves none.
        listen: Optional<SocketAddr> = ""
            => "empty, or an address and port, such as 127.0.0.1:9090";
        /// Whose usage and quotas are told, of 100 at most: organizations and users (`acme`, all its repositories together), and repositories (`acme/app`).
        usage: List<RepositoryName> = ""
            => "names with commas between them, such as acme,acme/app";
    }

    /// What is written while it runs. Messages go to stderr, the access log to stdout.
    log: Log {
        /// Which messages are written: a level, then levels for parts of the program.
        level: LogFilter = "info"
            => "off, error, warn, info, debug or trace, then such as wharf_http=debug";
        /// How messages are written.
        format: LogFormat = "text" => "text or json";
        /// How each answered request is written.
        access: AccessLog = "text" => "text, json or off";
    }

    /// Traces, sent by OpenTelemetry's OTLP over HTTP.
    traces: Traces {
        /// The collector; empty sends no traces. `/v1/traces` is added unless it ends so.
        endpoint: Optional<TraceEndpoint> = ""
            => "empty, or an http URL, such as http://127.0.0.1:4318";
        /// The share of traces begun here that is sent; those begun by callers follow the caller.
        sample_ratio: Ratio = "1" => "a number from 0 to 1, such as 0.1";
    }
}
