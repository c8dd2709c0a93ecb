// An engine that loads a file has not yet understood it: its answers are looked at before anyone relies on them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "engine/engines.h"

namespace likeness::engine {
namespace {

// Zeros and noise of the input's range: enough to see a wrong dimension, a NaN, or pictures that leak into each other.
std::vector<float> probe_input(const ModelContract& contract) {
  const std::size_t pixels =
      3ull * static_cast<std::size_t>(contract.geometry.height) * static_cast<std::size_t>(contract.geometry.width);
  std::vector<float> input(2 * pixels, 0.0f);
  Rng rng(1, Purpose::kSample);
  for (std::size_t i = pixels; i < input.size(); ++i) input[i] = static_cast<float>(rng.uniform(-1, 1));
  return input;
}

double cosine(const float* a, const float* b, std::size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : (aa == bb ? 1 : 0);
}

constexpr double kSameAnswer = 0.999;  // rounding gives 1 - 1e-6 at worst; a misread operator gives 0.9 or less

}  // namespace

void probe_engine(Engine& engine, const std::filesystem::path& path) {
  const std::size_t d = static_cast<std::size_t>(engine.contract().dimension);
  const std::vector<float> input = probe_input(engine.contract());
  const std::vector<float> both = engine.run(input, 2);
  const std::vector<float> second =
      engine.run({input.begin() + static_cast<std::ptrdiff_t>(input.size() / 2), input.end()}, 1);
  const std::string where = path.string() + ", engine " + engine.name();
  if (both.size() != 2 * d || second.size() != d)
    fail_environment({"the engine's answer has the wrong size", where, fmt::format("{} values for a picture", d),
                      fmt::format("{} for two and {} for one", both.size(), second.size()), ""});
  const bool finite = std::all_of(both.begin(), both.end(), [](float v) { return std::isfinite(v); });
  if (!finite)
    fail_environment(
        {"the engine's answer is not finite", where, "finite embeddings of zeros and noise", "NaN or infinity", ""});
  const double same = cosine(both.data() + d, second.data(), d);
  if (same < kSameAnswer)
    fail_environment({"the engine's answer depends on the rest of the batch", where,
                      "the same embedding alone and in a batch", fmt::format("cosine {:.6f}", same),
                      "the file's batch may be fixed by a Reshape; export it with a dynamic batch"});
}

void cross_check(Engine& engine, const ModelSource& source, int threads) {
  if (engine.name() != "openvino") return;
  std::unique_ptr<Engine> other;
  try {
    other = open_opencv(source, threads);
  } catch (const Error&) {
    return;  // no second opinion to be had; OpenVINO's answers have passed the probe
  }
  const std::size_t d = static_cast<std::size_t>(engine.contract().dimension);
  const std::vector<float> input = probe_input(engine.contract());
  const std::vector<float> a = engine.run(input, 2), b = other->run(input, 2);
  double worst = 1;
  for (std::size_t i = 0; i < 2 && b.size() == 2 * d; ++i)
    worst = std::min(worst, cosine(a.data() + i * d, b.data() + i * d, d));
  if (b.size() == 2 * d && std::isfinite(worst) && worst >= kSameAnswer) return;
  fail_environment({"two engines load this file and disagree about it", source.path().string(),
                    engine.name() + " and " + other->name() + " alike", fmt::format("cosine {:.6f} on noise", worst),
                    "the file is not valid ONNX of its opset, or was made for one of them: use the variant made for " +
                        engine.name()});
}

}  // namespace likeness::engine
