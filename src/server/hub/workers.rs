//! One worker per app hands the runtime its orders one after another, so that a stop that takes its time does not
//! overtake the start after it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::model::AppId;
use crate::server::runtime::{Runtime, Workload};

pub enum Command {
    Set(Box<Workload>),
    /// Ends the app's processes; then calls back.
    Stop(Box<dyn FnOnce() + Send>),
    /// Ends the app with all its files; then calls back.
    Remove(Box<dyn FnOnce() + Send>),
}

pub struct Workers {
    runtime: Runtime,
    /// `None` once closed.
    queues: Mutex<Option<BTreeMap<AppId, UnboundedSender<Command>>>>,
}

impl Workers {
    pub fn new(runtime: Runtime) -> Self {
        Self { runtime, queues: Mutex::new(Some(BTreeMap::new())) }
    }

    pub fn send(&self, id: &AppId, command: Command) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queues) = queues.as_mut() else { return };
        let queue = queues.entry(id.clone()).or_insert_with(|| {
            let (sender, receiver) = unbounded_channel();
            tokio::spawn(work(self.runtime.clone(), id.clone(), receiver));
            sender
        });
        // A worker ends only when its queue is dropped.
        let _ = queue.send(command);
    }

    /// Takes no more orders.
    pub fn close(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn work(runtime: Runtime, id: AppId, mut commands: UnboundedReceiver<Command>) {
    while let Some(command) = commands.recv().await {
        match command {
            Command::Set(workload) => runtime.set(*workload),
            Command::Stop(then) => {
                runtime.stop(&id).await;
                then();
            }
            Command::Remove(then) => {
                runtime.remove(&id).await;
                then();
            }
        }
    }
}
