use std::path::Path;

use super::*;
use crate::port::memory::MemoryFiles;
