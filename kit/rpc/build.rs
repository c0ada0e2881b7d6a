fn main() -> anyhow::Result<()> {
    kit_build::shared(&["kit/options.proto", "kit/types.proto", "kit/events.proto", "google/api/annotations.proto", "google/api/httpbody.proto"])
}
