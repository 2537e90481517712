//! Compiles `flyteidl2/**/*.proto` into messages, service traits and clients, and describes `google/**/*.proto`.

#![allow(clippy::disallowed_methods, reason = "a build script reads and writes files")]

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use buffa_codegen::{MapRepr, ReflectMode};

fn main() -> Result<(), Box<dyn Error>> {
    // connectrpc-build would name its own output as an input, and every build would start over.
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=flyteidl2");
    println!("cargo:rerun-if-changed=google");

    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    protos(&root, Path::new("flyteidl2"), &mut files)?;
    files.sort();

    // Comments become documentation of the generated code, but stay out of the embedded set.
    let documented = out.join("documented.bin");
    fs::write(&documented, compile(&root, &files, true)?)?;
    let mut described = files.clone();
    protos(&root, Path::new("google"), &mut described)?;
    described.sort();
    fs::write(out.join("descriptors.bin"), compile(&root, &described, false)?)?;

    let mut config = connectrpc_build::CodeGenConfig::default();
    config.generate_json = true;
    // Ordered maps: the same message always encodes to the same bytes.
    config.map_fields.push((".".into(), MapRepr::BTreeMap));
    ReflectMode::Off.apply(&mut config);

    connectrpc_build::Config::new()
        .buffa_config(config)
        .descriptor_set(documented)
        .files(&files)
        .include_file("_connectrpc.rs")
        .emit_rerun_directives(false)
        .compile()?;
    Ok(())
}

/// All proto files below `dir`, relative to `root`.
fn protos(root: &Path, dir: &Path, into: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(root.join(dir))? {
        let entry = entry?;
        let path = dir.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            protos(root, &path, into)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            into.push(path);
        }
    }
    Ok(())
}

/// The encoded descriptor set of `files` and all they import.
fn compile(root: &Path, files: &[PathBuf], comments: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(comments);
    compiler.open_files(files)?;
    Ok(compiler.encode_file_descriptor_set())
}
