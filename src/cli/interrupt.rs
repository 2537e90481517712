//! Ctrl-C and SIGTERM: the first lets what is under way finish, the second ends the program.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;

use super::exit::Exit;
use crate::apply::Interrupt;
use crate::port::{Event, Events};

/// Listens until dropped.
pub struct Listening(Option<AbortHandle>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Sets `interrupt` at the first signal, and tells so; ends the program with [`Exit::Interrupted`] at the second.
pub fn listen(interrupt: Interrupt, events: Arc<dyn Events>) -> Listening {
    let (Ok(mut keys), Ok(mut asked)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        // Without listeners a signal ends the program at once, as the system has it.
        return Listening(None);
    };
    let task = tokio::spawn(async move {
        let mut heard = false;
        loop {
            tokio::select! {
                _ = keys.recv() => {}
                _ = asked.recv() => {}
            }
            if heard {
                std::process::exit(Exit::Interrupted.code().into());
            }
            heard = true;
            interrupt.set();
            events.tell(Event::Interrupted);
        }
    });
    Listening(Some(task.abort_handle()))
}
