//! A checked `resources` table to what it asks for.

use crate::manifest::rules::{amount_text, asked};
use crate::manifest::{Node, Table};
use crate::model::resources::{Amount, Gpu, Resources, SharedMemory};

pub fn resources(table: &Table) -> Resources {
    let text = |key: &str| table.text(key).map(str::to_owned);
    Resources {
        cpu: table.get("cpu").and_then(amount),
        memory: table.get("memory").and_then(amount),
        gpu: table.get("gpu").and_then(gpu),
        disk: text("disk"),
        shm: text("shm").map(|size| if size == "auto" { SharedMemory::Auto } else { SharedMemory::Size(size) }),
    }
}

fn amount(node: &Node) -> Option<Amount> {
    match node.as_table() {
        Some(table) => Some(Amount {
            request: amount_text(table.get("request")?)?,
            limit: table.get("limit").and_then(amount_text),
        }),
        None => amount_text(node).map(|request| Amount { request, limit: None }),
    }
}

fn gpu(node: &Node) -> Option<Gpu> {
    match node.as_integer() {
        Some(count) => u32::try_from(count).ok().map(Gpu::Count),
        None => asked(node).ok().flatten().map(Gpu::Named),
    }
}
