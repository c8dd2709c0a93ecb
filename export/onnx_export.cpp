#include "export/onnx_export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "core/error.h"
#include "model/graph/onnx.h"

namespace likeness::exporting {
namespace {

// Errors name the file the user asked for, not the temporary one.
void write_file(const std::filesystem::path& path, const std::string& bytes, const std::filesystem::path& asked) {
  struct Closing {
    int fd;
    ~Closing() { ::close(fd); }
  } const file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
  if (file.fd < 0) fail_environment({"file cannot be written", asked.string(), "", std::strerror(errno), ""});
  write_all(file.fd, std::as_bytes(std::span(bytes)), asked);
}

}  // namespace

OnnxExport export_onnx(const std::filesystem::path& model, const std::filesystem::path& out, IfExists if_exists,
                       const ParityOptions& options) {
  if (out.extension() != ".onnx")
    fail_usage({"an ONNX file is named so", out.string(), "a name that ends in .onnx", out.filename().string(), ""});
  check_output(out, if_exists);
  const model::TrainedModel network = model::load_model(model);
  const std::string bytes = model::to_onnx(network.graph, network.weights, network.contract, {});
  OnnxExport result;
  result.model = model;
  result.file = out;
  result.bytes = bytes.size();
  result.digest = xxh3_128_hex(std::as_bytes(std::span(bytes)));
  result.contract = network.contract;
  // Parity is judged on the file itself, where it stands beside its final place; a failure leaves nothing behind.
  write_atomically(out, if_exists, [&](const std::filesystem::path& temporary) {
    write_file(temporary, bytes, out);
    result.parity = check_parity(network, temporary, options);
    if (result.parity.passed()) return;
    throw Error(ErrorKind::kCheckFailed,
                {"the exported file does not compute what the model computes; nothing was written", out.string(),
                 fmt::format("cosine >= {:.7f} in every engine", options.min_cosine), result.parity.failure(),
                 "likeness export check shows every engine"});
  });
  return result;
}

nlohmann::json OnnxExport::to_json() const {
  return {{"schema", "likeness.export/1"},
          {"model", model.string()},
          {"file", file.string()},
          {"bytes", bytes},
          {"digest", digest},
          {"weights_hash", contract.weights_hash},
          {"contract", nlohmann::json::parse(contract.to_json())},
          {"parity", parity.to_json()}};
}

std::string OnnxExport::to_text() const {
  return fmt::format("{}: {:.2f} MB, {} -> [batch,{}], weights {}\n{}", file.string(), static_cast<double>(bytes) / 1e6,
                     contract.geometry.describe(), contract.dimension, contract.weights_hash, parity.to_text());
}

}  // namespace likeness::exporting
