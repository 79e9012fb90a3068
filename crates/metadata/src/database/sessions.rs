//! The traits of sessions and device logins on any engine.

use async_trait::async_trait;
use wharf_core::metadata::{
    Change, DeviceAnswer, DeviceDecision, DeviceFind, DeviceLogins, DevicePoll, DeviceStart,
    NewDeviceLogin, NewSession, Session, Sessions, UserCode,
};
use wharf_core::permissions::AccountName;

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::accounts::{device_logins, sessions};

#[async_trait]
impl<E: Engine> Sessions for Database<E> {
    async fn start_session(&self, session: NewSession) -> Result<Change> {
        self.engine.write(session).await
    }

    async fn find_session(&self, secret_hash: [u8; 32]) -> Result<Option<Session>> {
        let found = self.engine.read(sessions::Find(secret_hash)).await?;
        // Every few minutes: a request of a browser is a read but for that.
        if let Some((_, true)) = found {
            self.engine.write(sessions::NoteUse(secret_hash)).await?;
        }
        Ok(found.map(|(session, _)| session))
    }

    async fn end_session(&self, secret_hash: [u8; 32]) -> Result<Change> {
        self.engine.write(sessions::End(secret_hash)).await
    }

    async fn end_sessions(&self, user: AccountName) -> Result<u64> {
        self.engine.write(sessions::EndAll(user)).await
    }
}

#[async_trait]
impl<E: Engine> DeviceLogins for Database<E> {
    async fn start_device_login(&self, login: NewDeviceLogin) -> Result<DeviceStart> {
        self.engine.write(login).await
    }

    async fn find_device_login(
        &self,
        session_hash: [u8; 32],
        code: UserCode,
    ) -> Result<DeviceFind> {
        self.engine.write(device_logins::Find { session_hash, code }).await
    }

    async fn decide_device_login(&self, decision: DeviceDecision) -> Result<Change> {
        self.engine.write(decision).await
    }

    async fn poll_device_login(&self, poll: DevicePoll) -> Result<DeviceAnswer> {
        self.engine.write(poll).await
    }
}
