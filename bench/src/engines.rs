//! PostgreSQL, S3 and Redis as `wharf-engines` started them, and what each registry has of them for itself.

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::http::Connection;
use anyhow::{Context, Result, ensure};
use http::Method;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ClientOptions, ObjectStoreExt};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// The keys that `wharf-engines` gives its S3 server.
const KEYS: [&str; 2] = ["wharf-test", "wharf-test-secret"];

const REGION: &str = "us-east-1";

/// Where the engines are.
pub struct Engines {
    postgres: String,
    s3: String,
    redis: String,
    /// For the clients of the engines.
    pub runtime: Runtime,
}

/// A database and a bucket that nobody else uses, as long as this lives. In Redis, what belongs to a database is
/// told from what belongs to others by the registry itself.
pub struct Place {
    engines: Arc<Engines>,
    database: String,
    bucket: String,
}

impl Engines {
    /// Looks for them in the environment.
    pub fn find() -> Result<Self> {
        let find = |variable: &str| {
            env::var(variable).with_context(|| {
                format!("{variable} is not set: --shared runs within wharf-engines (see docs/performance.md)")
            })
        };
        Ok(Self {
            postgres: find("WHARF_TEST_POSTGRES")?,
            s3: find("WHARF_TEST_S3")?,
            redis: find("WHARF_TEST_REDIS")?,
            runtime: Runtime::new()?,
        })
    }

    /// PostgreSQL's version, and whether it syncs what it commits.
    pub fn postgres_version(&self) -> Result<String> {
        self.runtime.block_on(async {
            let client = self.connect().await?;
            let ask =
                async |sql| Ok::<String, anyhow::Error>(client.query_one(sql, &[]).await?.get(0));
            Ok(format!("{}, fsync {}", ask("SHOW server_version").await?, ask("SHOW fsync").await?))
        })
    }

    /// Where the S3 server listens.
    pub fn s3_address(&self) -> Result<SocketAddr> {
        let address = self.s3.trim_start_matches("http://").parse();
        address.with_context(|| format!("not an address over http: {}", self.s3))
    }

    async fn connect(&self) -> Result<Client> {
        let connecting = tokio_postgres::connect(&self.postgres, NoTls);
        let (client, connection) = connecting.await.context("connecting to PostgreSQL")?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn execute(&self, sql: &str) -> Result<()> {
        let executed = async { anyhow::Ok(self.connect().await?.batch_execute(sql).await?) };
        self.runtime.block_on(executed).with_context(|| sql.to_owned())
    }
}

impl Place {
    /// Makes both. No two names of a run are the same.
    pub fn new(engines: &Arc<Engines>, name: &str) -> Result<Self> {
        let database = format!("wharf_bench_{}_{}", std::process::id(), name.replace('-', "_"));
        // Texts are ordered by their own collation; the template with no additions takes any.
        engines
            .execute(&format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8'"))?;
        let bucket = database.replace('_', "-");
        let place = Self { engines: Arc::clone(engines), database, bucket };
        place.ask_for_bucket(Method::PUT, 200)?;
        // SeaweedFS makes files for a bucket at its first bytes, which takes seconds.
        let (client, path) = (place.client()?, Path::from("first"));
        engines.runtime.block_on(client.put(&path, "first".into()))?;
        engines.runtime.block_on(client.delete(&path))?;
        Ok(place)
    }

    /// The settings of a registry in here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let engines = &self.engines;
        let server = engines.postgres.rsplit_once('/').map_or("", |(server, _)| server);
        let [access, secret] = KEYS.map(str::to_owned);
        vec![
            ("WHARF_DATABASE_URL", format!("{server}/{}", self.database)),
            ("WHARF_BLOBS_URL", format!("s3://{}", self.bucket)),
            ("WHARF_CACHE_URL", engines.redis.clone()),
            ("AWS_ENDPOINT_URL", engines.s3.clone()),
            ("AWS_ACCESS_KEY_ID", access),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", REGION.to_owned()),
        ]
    }

    /// A client of the bucket, set as Wharf sets its own.
    pub fn client(&self) -> Result<AmazonS3> {
        Ok(AmazonS3Builder::new()
            .with_endpoint(&self.engines.s3)
            .with_region(REGION)
            .with_access_key_id(KEYS[0])
            .with_secret_access_key(KEYS[1])
            .with_bucket_name(&self.bucket)
            .with_unsigned_payload(true)
            .with_checksum_algorithm(Checksum::CRC64NVME)
            .with_client_options(ClientOptions::new().with_timeout_disabled().with_allow_http(true))
            .build()?)
    }

    /// Makes or removes the bucket, which the library does not do but signs.
    fn ask_for_bucket(&self, method: Method, status: u16) -> Result<()> {
        let (client, path) = (self.client()?, Path::default());
        let signed = client.signed_url(method.clone(), &path, Duration::from_secs(60));
        let url = self.engines.runtime.block_on(signed)?;
        let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let mut connection = Connection::open(self.engines.s3_address()?)?;
        let reply = connection.call(method.as_str(), &target, "", b"")?;
        ensure!(reply.status == status, "{method} of a bucket: {}", reply.status);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let removed = [
            self.ask_for_bucket(Method::DELETE, 204),
            self.engines.execute(&format!("DROP DATABASE {} WITH (FORCE)", self.database)),
        ];
        for error in removed.into_iter().filter_map(Result::err) {
            eprintln!("left behind: {error:#}");
        }
    }
}
