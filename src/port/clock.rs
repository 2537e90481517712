//! Time, so that ten minutes of waiting take none in a test.

use std::time::Duration;

use async_trait::async_trait;

#[async_trait]
pub trait Clock: Send + Sync {
    fn now(&self) -> jiff::Timestamp;
    async fn sleep(&self, duration: Duration);
}
