//! Device logins: what waits by which code, who let it in, and the token that it gets for that, once.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::access::{Narrowing, Role};
use wharf_core::actor::Actor;
use wharf_core::browser::Visit;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    AuditEntry, AuditOutcome, Change, DeviceAnswer, DeviceDecision, DeviceFind, DevicePoll,
    DeviceStart, MOST_OF_ADDRESS, MOST_TRIES, NewDeviceLogin, NewToken, ProviderName, TokenKind,
    UserCode, WaitingDevice,
};
use wharf_core::permissions::{AccountName, Principal};

use super::make;
use super::secrets::optional_provider;
use super::sessions::{Live, live};
use crate::engine::{Result, Row, Sees, Statements, Transaction, Value, arguments};
use crate::transactions::audit;

/// How many that waited too long are forgotten with each start: more than one, so that they do not gather.
const FORGOTTEN: usize = 10;

/// What is added to the interval of a device that asks too often (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

#[async_trait]
impl Transaction for NewDeviceLogin {
    type Output = DeviceStart;

    // What others start or forget meanwhile is nothing to this one.
    const SEES: Sees = Sees::EachCommit;

    async fn run(&self, on: &mut dyn Statements) -> Result<DeviceStart> {
        let now = on.now().await?;
        let sql = "SELECT device_hash FROM device_logins WHERE expires_at <= $1
                   ORDER BY expires_at LIMIT $2";
        let late = on.query_free(sql, arguments![now, FORGOTTEN]).await?;
        let late: Result<Vec<Vec<Value>>> =
            late.iter().map(|row| Ok(arguments![row.bytes(0)?].to_vec())).collect();
        on.execute_each("DELETE FROM device_logins WHERE device_hash = $1", &late?).await?;
        let sql = "SELECT count(*) FROM device_logins WHERE address = $1 AND expires_at > $2";
        let waiting = on.query(sql, arguments![self.address.as_str(), now]).await?;
        if waiting.first().map(|row| row.int(0)).transpose()? >= Some(MOST_OF_ADDRESS as i64) {
            return Ok(DeviceStart::TooMany);
        }
        let sql = "INSERT INTO device_logins
                       (device_hash, user_code, client, address, role, poll_interval, expires_at,
                        created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
        let made = on
            .execute(
                sql,
                arguments![
                    self.device_hash.as_slice(),
                    self.user_code.as_str(),
                    self.client.as_str(),
                    self.address.as_str(),
                    self.role.name(),
                    self.interval,
                    now.after(self.life),
                    now,
                ],
            )
            .await?;
        Ok(if made > 0 { DeviceStart::Started } else { DeviceStart::CodeTaken })
    }
}

/// What waits by a code, and the session that asks. A code that is none counts against the session.
async fn waiting(
    on: &mut dyn Statements,
    session_hash: &[u8; 32],
    code: &UserCode,
) -> Result<(DeviceFind, Option<Live>)> {
    let Some(live) = live(on, session_hash).await? else {
        return Ok((DeviceFind::NoSession, None));
    };
    if live.code_tries >= MOST_TRIES {
        return Ok((DeviceFind::TooManyTries, None));
    }
    let now = on.now().await?;
    let sql = "SELECT client, address, created_at, role FROM device_logins
               WHERE user_code = $1 AND state = 'waiting' AND expires_at > $2";
    let rows = on.query(sql, arguments![code.as_str(), now]).await?;
    let Some(row) = rows.first() else {
        let sql = "UPDATE sessions SET code_tries = code_tries + 1 WHERE secret_hash = $1";
        on.execute(sql, arguments![session_hash.as_slice()]).await?;
        return Ok((DeviceFind::Unknown, None));
    };
    let found = WaitingDevice {
        client: row.text(0)?.to_owned(),
        address: row.text(1)?.to_owned(),
        started_at: Timestamp(row.int(2)?),
        role: role(row, 3)?,
    };
    Ok((DeviceFind::Found(found), Some(live)))
}

/// `DeviceLogins::find_device_login`
pub(crate) struct Find {
    pub(crate) session_hash: [u8; 32],
    pub(crate) code: UserCode,
}

#[async_trait]
impl Transaction for Find {
    type Output = DeviceFind;

    async fn run(&self, on: &mut dyn Statements) -> Result<DeviceFind> {
        Ok(waiting(on, &self.session_hash, &self.code).await?.0)
    }
}

#[async_trait]
impl Transaction for DeviceDecision {
    type Output = Change;

    async fn run(&self, on: &mut dyn Statements) -> Result<Change> {
        let found = waiting(on, &self.session_hash, &self.code).await?;
        let (DeviceFind::Found(device), Some(live)) = found else { return Ok(Change::NotFound) };
        let (state, action) = match self.approve {
            true => ("approved", "device.allow"),
            false => ("denied", "device.refuse"),
        };
        let sql = "UPDATE device_logins SET state = $1, user_id = $2, provider = $3
                   WHERE user_code = $4 AND state = 'waiting'";
        let provider = live.session.provider.as_ref().map(ProviderName::as_str);
        let decided = arguments![state, live.user_id, provider, self.code.as_str()];
        if on.execute(sql, decided).await? == 0 {
            return Ok(Change::NotFound);
        }
        let user = live.session.user;
        let client = device.client.replace(' ', "_");
        let entry = AuditEntry {
            by: by(&user, &self.from),
            action: action.to_owned(),
            target: format!("user:{user}"),
            namespace: Some(user.to_string()),
            outcome: AuditOutcome::Done,
            detail: format!(
                "role={} address={} client={client}",
                device.role.name(),
                device.address
            ),
        };
        audit::write(on, &entry).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Transaction for DevicePoll {
    type Output = DeviceAnswer;

    async fn run(&self, on: &mut dyn Statements) -> Result<DeviceAnswer> {
        let now = on.now().await?;
        let sql = "SELECT d.state, d.client, d.poll_interval, d.polled_at, u.name, d.role, d.provider
                   FROM device_logins d LEFT JOIN users u ON u.id = d.user_id AND u.disabled_at IS NULL
                   WHERE d.device_hash = $1 AND d.expires_at > $2";
        let rows = on.query(sql, arguments![self.device_hash.as_slice(), now]).await?;
        let Some(row) = rows.first() else { return Ok(DeviceAnswer::Expired) };
        match (row.text(0)?, row.optional_text(4)?) {
            ("waiting", _) => again(on, &self.device_hash, row, now).await,
            ("approved", Some(_)) => {
                let expires_at = now.after(self.token_life);
                let user: AccountName = row.parsed(4)?;
                let role = role(row, 5)?;
                let token = NewToken {
                    user: user.clone(),
                    kind: TokenKind::Personal,
                    name: row.text(1)?.to_owned(),
                    secret_hash: self.token_hash,
                    most: Narrowing { role, pattern: None },
                    expires_at: Some(expires_at),
                    provider: optional_provider(row, 6)?,
                };
                forget(on, &self.device_hash).await?;
                match make(on, &token.into(), &by(&user, &self.from)).await? {
                    Change::Done => Ok(DeviceAnswer::Approved { user, role, expires_at }),
                    // They have as many tokens as they may have, as the audit log says.
                    _ => Ok(DeviceAnswer::Denied),
                }
            }
            _ => {
                forget(on, &self.device_hash).await?;
                Ok(DeviceAnswer::Denied)
            }
        }
    }
}

/// Devices that a user has let in and that have not got their token get none.
pub(super) async fn refuse_devices(on: &mut dyn Statements, user: i64) -> Result<()> {
    let sql = "UPDATE device_logins SET state = 'denied' WHERE user_id = $1";
    on.execute(sql, arguments![user]).await.map(drop)
}

/// Who acts, from where.
fn by(user: &AccountName, from: &Visit) -> Actor {
    let Visit { address, request_id } = from.clone();
    Actor { address, request_id, ..Actor::from(&Principal::User(user.clone())) }
}

fn role(row: &Row, column: usize) -> Result<Role> {
    let name = row.text(column)?;
    Role::named(name).ok_or_else(|| StoreError::Corrupt(format!("there is no role {name}")))
}

/// Notes that it asked, and whether it asks too often.
async fn again(
    on: &mut dyn Statements,
    device_hash: &[u8; 32],
    row: &Row,
    now: Timestamp,
) -> Result<DeviceAnswer> {
    let interval = Duration::from_micros(row.size(2)?);
    let is_early = row.optional_int(3)?.is_some_and(|at| Timestamp(at).after(interval) > now);
    let interval = if is_early { interval + SLOWER } else { interval };
    let sql = "UPDATE device_logins SET polled_at = $1, poll_interval = $2 WHERE device_hash = $3";
    on.execute(sql, arguments![now, interval, device_hash.as_slice()]).await?;
    Ok(if is_early { DeviceAnswer::SlowDown } else { DeviceAnswer::Pending })
}

/// Whoever asks again is told that it expired.
async fn forget(on: &mut dyn Statements, device_hash: &[u8; 32]) -> Result<()> {
    let sql = "DELETE FROM device_logins WHERE device_hash = $1";
    on.execute(sql, arguments![device_hash.as_slice()]).await.map(drop)
}
