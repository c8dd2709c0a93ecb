#include "engine/model_source.h"

#include <fmt/format.h>

#include <charconv>

#include "core/error.h"
#include "core/file.h"
#include "model/graph/onnx.h"

namespace likeness::engine {
namespace {

using model::shape_text;

bool names_onnx(const std::filesystem::path& path) {
  return !std::filesystem::is_directory(path) && path.extension() != ".safetensors";
}

}  // namespace

FaceGeometry parse_geometry(const std::string& text, std::int64_t height, std::int64_t width,
                            const std::string& where) {
  const std::string expected = "arcface, arcface:SIZE, unknown, or five points \"x,y x,y x,y x,y x,y\"";
  if (text.rfind("arcface", 0) == 0) {
    std::int64_t size = height > 0 ? height : 112;
    if (text.size() > 7) {
      const char* begin = text.data() + 8;
      const char* end = text.data() + text.size();
      const auto [last, error] = std::from_chars(begin, end, size);
      if (text[7] != ':' || error != std::errc() || last != end || size < 16 || size > 4096)
        fail_usage({"geometry cannot be read", where, expected, text, ""});
    }
    if ((height > 0 && size != height) || (width > 0 && size != width))
      fail_usage(
          {"geometry does not fit the model's input", where, fmt::format("{}x{} pixels", width, height), text, ""});
    return FaceGeometry::arcface(static_cast<int>(size));
  }
  if (height <= 0 || width <= 0)
    fail_usage({"the model does not fix its input's size, so the geometry must", where, "arcface:SIZE", text, ""});
  if (text == "unknown") return FaceGeometry::unknown(static_cast<int>(width), static_cast<int>(height));
  if (text.find(',') == std::string::npos) fail_usage({"geometry cannot be read", where, expected, text, ""});
  return FaceGeometry::custom(static_cast<int>(width), static_cast<int>(height), parse_points(text, where));
}

ModelSource::ModelSource(const std::filesystem::path& path, const EngineOptions& options) : path_(path) {
  if (!std::filesystem::exists(path))
    fail_data(
        {"model is not there", path.string(), "an .onnx or .safetensors file, a run folder or a checkpoint", "", ""});
  if (names_onnx(path)) {
    open_onnx(options);
  } else {
    trained_ = model::load_model(path);
    contract_ = trained_->contract;
    refuse_contradiction(options);
  }
}

void ModelSource::open_onnx(const EngineOptions& options) {
  const model::OnnxInfo info = model::onnx_info(path_);
  const auto& in = info.input_shape;
  const auto& out = info.output_shape;
  const bool picture = in.size() == 4 && in[1] == 3;
  if (!picture)
    fail_data({"not a network for aligned faces", path_.string() + ", input " + info.input, "[batch,3,H,W]",
               shape_text(in), ""});
  const bool vector = out.size() >= 2 && out[1] > 0;
  if (!vector)
    fail_data({"not a network that gives embeddings", path_.string() + ", output " + info.output, "[batch,D]",
               shape_text(out), ""});
  batch_ = in[0] > 0 ? in[0] : -1;
  foreign_ = !model::onnx_contract(info.metadata, &contract_);
  if (foreign_) {
    take_said_contract(options, in[2], in[3]);
    contract_.dimension = static_cast<int>(out[1]);
    contract_.weights_hash =
        "file:" + file_digest(path_);  // its weights cannot be told apart from the rest of the file
    return;
  }
  refuse_contradiction(options);
  if (contract_.dimension != out[1] || contract_.geometry.height != in[2] || contract_.geometry.width != in[3])
    fail_data({"the file's contract does not describe its network", path_.string(),
               fmt::format("[batch,3,{},{}] to [batch,{}]", contract_.geometry.height, contract_.geometry.width,
                           contract_.dimension),
               shape_text(in) + " to " + shape_text(out), "export it again"});
  // Archives are compared by this hash, so it is not taken on trust.
  const model::OnnxModel held = model::read_onnx(path_);
  const std::string hash = model::weights_hash(held.graph, held.weights);
  if (hash != contract_.weights_hash)
    fail_data({"the file's weights are not those its metadata name", path_.string(), contract_.weights_hash, hash,
               "the file was changed after export"});
}

void ModelSource::take_said_contract(const EngineOptions& options, std::int64_t height, std::int64_t width) {
  if (!options.preprocess || !options.geometry)
    fail_usage({"this ONNX file does not say what it wants to be fed", path_.string(),
                "--preprocess and --geometry, e.g. --preprocess "
                "\"mean=127.5,127.5,127.5;std=127.5,127.5,127.5;order=rgb\" --geometry arcface",
                std::string(options.preprocess ? "--preprocess"
                            : options.geometry ? "--geometry"
                                               : "neither") +
                    (options.preprocess || options.geometry ? " alone" : ""),
                "mean and std are on the 0..255 scale: a network fed x/255 with mean 0.485 wants mean=123.675"});
  contract_.preprocess = *options.preprocess;
  contract_.geometry = parse_geometry(*options.geometry, height, width, "--geometry");
}

void ModelSource::refuse_contradiction(const EngineOptions& options) const {
  if (options.preprocess && !(*options.preprocess == contract_.preprocess))
    fail_usage({"--preprocess contradicts the model", path_.string(), contract_.preprocess.to_string(),
                options.preprocess->to_string(), "the model says itself how it is fed: leave the option out"});
  if (!options.geometry) return;
  const FaceGeometry said =
      parse_geometry(*options.geometry, contract_.geometry.height, contract_.geometry.width, "--geometry");
  if (!said.same_as(contract_.geometry))
    fail_usage({"--geometry contradicts the model", path_.string(), contract_.geometry.describe(), said.describe(),
                "the model says itself how it is fed: leave the option out"});
}

std::string ModelSource::onnx_bytes() const {
  return trained_ ? model::to_onnx(trained_->graph, trained_->weights, trained_->contract, {}) : read_text(path_);
}

model::TrainedModel ModelSource::network() const {
  if (trained_) return *trained_;
  model::OnnxModel onnx = model::read_onnx(path_);
  return {std::move(onnx.graph), std::move(onnx.weights), contract_};
}

}  // namespace likeness::engine
