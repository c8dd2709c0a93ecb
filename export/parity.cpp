#include "export/parity.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/signals.h"
#include "core/thread_pool.h"
#include "engine/engine.h"
#include "model/graph/interpreter.h"

namespace likeness::exporting {
namespace {

using Answers = std::vector<std::vector<double>>;  // [pictures][D]

Answers run_reference(const model::TrainedModel& reference, const std::vector<ParityPicture>& pictures, int threads) {
  const model::Interpreter interpreter(reference.graph, reference.weights);
  Answers answers;
  for (const ParityPicture& picture : pictures) {  // one at a time: the oracle must not depend on how it batches
    throw_if_stopped();
    answers.push_back(interpreter.run({picture.input.begin(), picture.input.end()}, 1, threads));
  }
  return answers;
}

// NaN counts as the worst.
void compare(const float* got, const std::vector<double>& wanted, const std::string& name, std::int64_t batch,
             EngineParity& row) {
  double gw = 0, gg = 0, ww = 0, difference = 0;
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const double g = got[k], w = wanted[k];
    gw += g * w;
    gg += g * g;
    ww += w * w;
    difference = std::max(difference, std::isfinite(g) ? std::abs(g - w) : HUGE_VAL);
    row.reference_scale = std::max(row.reference_scale, std::abs(w));
  }
  double cosine = gg > 0 && ww > 0 ? gw / std::sqrt(gg * ww) : (gg == ww ? 1 : 0);
  if (!std::isfinite(cosine)) cosine = -1;
  row.largest_difference = std::max(row.largest_difference, difference);
  if (cosine > row.worst_cosine || (cosine == row.worst_cosine && !row.worst_case.empty())) return;
  row.worst_cosine = cosine;
  row.worst_case = name + " in a batch of " + std::to_string(batch);
}

// Every picture through batches of size b; the last batch wraps around to the first pictures.
void run_batches(engine::Engine& engine, const std::vector<ParityPicture>& pictures, const Answers& reference,
                 std::int64_t b, EngineParity& row) {
  const std::size_t d = reference.front().size(), size = static_cast<std::size_t>(b);
  for (std::size_t first = 0; first < pictures.size(); first += size) {
    throw_if_stopped();
    std::vector<float> input;
    for (std::size_t k = 0; k < size; ++k) {
      const std::vector<float>& one = pictures[(first + k) % pictures.size()].input;
      input.insert(input.end(), one.begin(), one.end());
    }
    const std::vector<float> got = engine.run(input, b);
    LIKENESS_ASSERT(got.size() == size * d);
    for (std::size_t k = 0; k < size; ++k) {
      const std::size_t i = (first + k) % pictures.size();
      compare(got.data() + k * d, reference[i], pictures[i].name, b, row);
    }
  }
}

EngineParity try_engine(const std::string& name, const std::filesystem::path& onnx,
                        const std::vector<ParityPicture>& pictures, const Answers& reference,
                        const ParityOptions& options) {
  EngineParity row;
  row.engine = name;
  row.independent = name == "openvino" || name == "opencv";  // the others read the file with our own parser
  try {
    engine::EngineOptions how;
    how.engine = name;
    how.threads = options.threads;
    how.device = "cpu";
    const std::unique_ptr<engine::Engine> engine = engine::open_engine(onnx, how);
    for (std::int64_t b : options.batches) run_batches(*engine, pictures, reference, b, row);
    row.ran = true;
    row.agrees = row.worst_cosine >= options.min_cosine;
  } catch (const Error& e) {
    const ErrorParts& parts = e.parts();
    row.why_not = parts.what + (parts.got.empty() ? "" : ": " + parts.got);
  }
  return row;
}

}  // namespace

ParityReport check_parity(const model::TrainedModel& reference, const std::filesystem::path& onnx,
                          const ParityOptions& options) {
  const std::vector<ParityPicture> pictures = parity_pictures(reference.contract);
  const Answers answers = run_reference(reference, pictures, resolve_threads(options.threads));
  ParityReport report;
  report.options = options;
  report.pictures = pictures.size();
  for (const char* name : {"interpreter", "openvino", "opencv", "torch"})
    report.engines.push_back(try_engine(name, onnx, pictures, answers, options));
  return report;
}

}  // namespace likeness::exporting
