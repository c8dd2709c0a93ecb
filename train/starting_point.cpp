#include "train/starting_point.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "data/crop.h"
#include "engine/engine.h"
#include "model/graph/unfold.h"
#include "train/identities.h"

namespace likeness::train {
namespace {

// Enough: every picture gives a batch norm all places of its feature map.
constexpr std::int64_t kPictures = 32;

Preprocess preprocess_of(const model::WeightsFile& file, const Recipe& recipe) {
  if (!recipe.init_preprocess.empty()) {
    const Preprocess said = Preprocess::parse(recipe.init_preprocess);
    if (file.contract && !(file.contract->preprocess == said))
      fail_usage({.what = "backbone.preprocess contradicts the model",
                  .where = file.path.string(),
                  .expected = file.contract->preprocess.to_string(),
                  .got = said.to_string(),
                  .hint = "the model says itself how it is fed: leave the key out"});
    return said;
  }
  if (file.contract) return file.contract->preprocess;
  if (file.kind == model::kOnnxKind)
    fail_usage({.what = "this ONNX file does not say what it wants to be fed",
                .where = file.path.string(),
                .expected = "backbone.preprocess",
                .got = "nothing",
                .hint = "insightface's own want \"mean=127.5,127.5,127.5;std=127.5,127.5,127.5;order=rgb\""});
  return {};  // arcface_torch's
}

[[noreturn]] void refuse(const std::string& what, const StartingPoint& start, const std::string& expected,
                         const std::string& got, const std::string& hint = "") {
  fail_data({.what = what, .where = start.path, .expected = expected, .got = got, .hint = hint});
}

std::string side(std::int64_t height, std::int64_t width) {
  return std::to_string(width) + "x" + std::to_string(height) + " pixels";
}

void adopt(const StartingPoint& start, Recipe& recipe) {
  if (start.graph.input_height != start.graph.input_width)
    refuse("training wants a square input", start, "as high as wide",
           side(start.graph.input_height, start.graph.input_width));
  const int input = static_cast<int>(start.graph.input_width);
  if (recipe.input != 0 && recipe.input != input)
    refuse("the network to start from has another input size", start, "input: " + std::to_string(recipe.input),
           side(input, input), "leave `input` out");
  recipe.input = input;
  recipe.backbone.embedding = static_cast<int>(start.graph.dimension);
}

}  // namespace

std::optional<StartingPoint> starting_point(Recipe& recipe, ModelContract* contract) {
  if (recipe.init.empty()) return std::nullopt;
  // Centres lie in checkpoints, so the weights come from the same one and not from best/.
  const std::filesystem::path path =
      recipe.centres == "run" ? find_checkpoint(recipe.init) : std::filesystem::path(recipe.init);
  model::WeightsFile file = model::read_weights_file(path);
  StartingPoint start{.path = recipe.init, .graph = {}, .weights = {}, .contract = file.contract, .restored = {}};
  if (!file.graph)
    refuse("these are not the weights of a network of ours", start, "the state dict of a backbone",
           std::to_string(file.weights.tensors.size()) + " other tensors", "likeness train weights inspect lists them");
  contract->preprocess = preprocess_of(file, recipe);
  start.restored = model::make_trainable(&file);
  start.graph = std::move(*file.graph);
  start.weights = std::move(file.weights);
  if (recipe.backbone.name == kNetworkOfInit) {
    adopt(start, recipe);
  } else if (start.graph.dimension != recipe.backbone.embedding) {
    refuse("the weights to start from have another width", start,
           "backbone.embedding: " + std::to_string(recipe.backbone.embedding), std::to_string(start.graph.dimension),
           "backbone.name: init takes the file's own network and sizes");
  }
  return start;
}

void check_starting_point(const StartingPoint& start, const Recipe& recipe, const FaceGeometry& geometry) {
  if (start.graph.input_width != geometry.width)
    refuse("the network to start from has another input size", start, side(geometry.height, geometry.width),
           side(start.graph.input_height, start.graph.input_width),
           "input: " + std::to_string(start.graph.input_width) + " has pictures warped to it");
  if (recipe.backbone.name != kNetworkOfInit)
    model::check_weights(model::build_backbone(recipe.backbone), start.weights, start.path);
  if (start.contract && !start.contract->geometry.same_as(geometry))
    log_warn(start.path + " was trained on faces at " + start.contract->geometry.describe() +
             ", this run has them at " + geometry.describe());
}

void restate_statistics(StartingPoint* start, const ModelContract& contract, const data::FaceSource& source,
                        bool skip_bad, int threads) {
  if (start->restored.empty()) return;
  data::CropReader reader(source, contract.geometry);
  const std::size_t bytes =
      3u * static_cast<std::size_t>(contract.geometry.width) * static_cast<std::size_t>(contract.geometry.height);
  const std::int64_t wanted = std::min(kPictures, source.size());
  std::vector<std::uint8_t> pixels;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < wanted; ++i) {  // spread over the set: neighbours show the same person
    pixels.resize(static_cast<std::size_t>(count + 1) * bytes);
    try {
      reader.read(i * source.size() / wanted, pixels.data() + static_cast<std::size_t>(count) * bytes);
      ++count;
    } catch (const Error& e) {
      if (!skip_bad || e.kind() != ErrorKind::kData) throw;
    }
  }
  if (count == 0)
    fail_data({.what = "no picture can be read",
               .where = source.path().string(),
               .expected = "pictures to take statistics from",
               .got = std::to_string(wanted) + " that cannot be read"});
  const std::vector<float> input = engine::to_input(pixels.data(), count, contract, false);
  model::restate_batch_norms(start->graph, &start->weights, start->restored, {input.begin(), input.end()}, count,
                             threads);
  start->restored.clear();
}

}  // namespace likeness::train
