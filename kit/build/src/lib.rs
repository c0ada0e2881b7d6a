//! Turns a contract (`<service>.proto`) into Rust at build time, without `protoc`: messages, gRPC client and server, and the
//! descriptors from which the edge makes REST routes and OpenAPI at run time.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use prost::Message;

/// Where `kit/*.proto` and `google/api/*.proto` live, seen from any crate with a contract: a build script runs in its crate.
const SHARED_PROTOS: &str = "../../kit/rpc/proto";

/// Compiles `<service>.proto` of the crate whose build script calls this.
pub fn contract(service: &str) -> Result<()> {
    compile(&[format!("{service}.proto")], &[PathBuf::from("."), PathBuf::from(SHARED_PROTOS)], |config| {
        config.extern_path(".kit.v1", "::kit_rpc::proto").extern_path(".google.api", "::kit_rpc::proto::google_api")
    })
}

/// Compiles the protos that all contracts share; only `kit-rpc` calls this.
pub fn shared(files: &[&str]) -> Result<()> {
    let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    compile(&files, &[PathBuf::from(SHARED_PROTOS)], |config| config)
}

fn compile(files: &[String], includes: &[PathBuf], configure: impl FnOnce(tonic_prost_build::Builder) -> tonic_prost_build::Builder) -> Result<()> {
    println!("cargo:rerun-if-changed={SHARED_PROTOS}");
    for file in files {
        if Path::new(file).exists() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    let mut compiler = protox::Compiler::new(includes)?;
    compiler.include_imports(true).include_source_info(true).open_files(files).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is set by cargo")?);
    std::fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    let descriptors = prost_types::FileDescriptorSet::decode(compiler.encode_file_descriptor_set().as_slice())?;
    configure(tonic_prost_build::configure().bytes(".")).compile_fds(descriptors)?;
    Ok(())
}
