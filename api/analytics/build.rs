fn main() -> anyhow::Result<()> {
    kit_build::contract("analytics")
}
