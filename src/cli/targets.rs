use crate::port::{Access, ControlPlane, RpcError, Targets};
use crate::resolve::Target;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
pub struct CommandLineTargets {
    state: PathBuf,
}
impl CommandLineTargets {
    pub fn new(state: PathBuf) -> Self {
        Self { state }
    }
}
#[async_trait]
impl Targets for CommandLineTargets {
    async fn connect(&self, _target: &Target, _access: Access) -> Result<Arc<dyn ControlPlane>, RpcError> {
        todo!()
    }
}
