#include "train/plan/forecast.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/progress.h"
#include "model/torch/footprint.h"
#include "train/head/classes.h"
#include "train/memory.h"

namespace likeness::train {
namespace {

constexpr std::int64_t kF32 = 4, kI64 = 8;
// Where arcface_torch's published SGD runs start: 0.1 for 8 ranks of 128.
constexpr double kReferenceRate = 0.1, kReferencePictures = 1024;
// Those sets have millions of pictures; small ones bear higher rates.
constexpr std::int64_t kManyPictures = 1'000'000;
// Below so many identities a sample of them gains nothing in speed (measured: docs/training.md).
constexpr std::int64_t kManyIdentities = 1'000'000;

std::int64_t optimizer_buffers(const Recipe& r) { return row_rule(r.optimizer, 0, 0, 0).buffers(); }
std::int64_t rank_rows(const Recipe& r, const Job& job) {
  return class_range(job.identities, 0, r.ranks).count * r.sub_centers;
}
// Classes taking part in a step on one rank. Where positives alone are more than the rate asks for, they all count.
std::int64_t rows_in_a_step(const Recipe& r, const Job& job) {
  const std::int64_t rows = rank_rows(r, job);
  if (r.sample_rate >= 1) return rows;
  const auto sampled = static_cast<std::int64_t>(r.sample_rate * static_cast<double>(rows));
  const std::int64_t positives = std::min(r.batch * r.sub_centers, rows);  // this rank's share of them, on average
  return std::max(sampled, positives);
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

}  // namespace

std::int64_t total(const std::vector<Part>& parts) {
  std::int64_t sum = 0;
  for (const Part& p : parts) sum += p.bytes;
  return sum;
}

std::vector<Part> forecast_memory(const Recipe& r, const model::Graph& graph, const Job& job) {
  const std::int64_t all = r.batch * r.ranks, d = r.backbone.embedding, buffers = optimizer_buffers(r);
  const std::int64_t rows = rank_rows(r, job), taking_part = rows_in_a_step(r, job);
  const model::Footprint network =
      model::training_footprint(graph, {.batch = r.batch,
                                        .bf16 = r.precision != "f32",
                                        .bf16_is_native = r.precision == "bf16" && job.bf16_is_native,
                                        .recompute = r.recompute,
                                        .buffers = buffers});
  const std::int64_t centres = rows * d * kF32;
  const std::int64_t cosines = taking_part * all * kF32;
  const std::int64_t side = graph.input_height * graph.input_width * 3;
  constexpr std::int64_t kBatchesAhead = 5;  // the loader's four and the one in use
  std::vector<Part> parts = {
      {"network: weights", network.weights},
      {"network: optimizer", network.optimizer},
      {"network: gradients and feature maps", network.step},
      {"class centres", centres},
      {"class centres: optimizer", centres * buffers},
      {"cosines of a step", cosines <= r.head_keep_bytes ? cosines : 0},
      {"embeddings and working memory of the head", (all * d * (5 + job.threads) + taking_part) * kF32},
      {"pictures read ahead", kBatchesAhead * r.batch * side},
      {"copy for a checkpoint", network.weights + network.optimizer + centres * (1 + buffers)},
  };
  if (r.ema.on()) parts.emplace_back("network: moving average", network.weights);
  if (r.accumulate > 1) parts.emplace_back("class centres: gradient over batches", centres);
  if (r.ranks > 1) {
    const std::int64_t gradient = graph.trainable_parameter_count() * kF32;
    parts.emplace_back("network: buckets between ranks", r.rank_compression == "bf16" ? gradient * 3 / 2 : gradient);
  }
  return parts;
}

std::vector<Part> forecast_communication(const Recipe& r, const model::Graph& graph, const Job&) {
  if (r.ranks == 1) return {};
  const std::int64_t others = r.ranks - 1, d = r.backbone.embedding;
  const std::int64_t of_gradient = graph.trainable_parameter_count() * (r.rank_compression == "bf16" ? 2 : kF32);
  const auto ring_sum = [&](std::int64_t bytes) { return 2 * bytes * others / r.ranks; };
  const std::int64_t micro = r.accumulate;
  return {
      {"gradients of the network", ring_sum(of_gradient)},
      {"embeddings and labels to all", micro * others * r.batch * (d * kF32 + kI64)},
      {"gradients of the embeddings", micro * ring_sum(r.batch * r.ranks * d * kF32)},
  };
}

std::int64_t largest_batch(Recipe r, const model::Graph& graph, const Job& job, std::int64_t bytes) {
  const auto fits = [&](std::int64_t batch) {
    r.batch = batch;
    return total(forecast_memory(r, graph, job)) <= bytes;
  };
  std::int64_t low = 0, high = 2;
  while (high <= (std::int64_t{1} << 20) && fits(high)) low = high, high *= 2;
  if (low == 0) return 0;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

std::vector<std::string> advise(const Recipe& r, const model::Graph& graph, const Job& job, std::int64_t bytes) {
  std::vector<std::string> advice;
  const std::vector<Part> memory = forecast_memory(r, graph, job);
  if (bytes > 0) {
    const std::int64_t fitting = largest_batch(r, graph, job, bytes), needed = total(memory);
    if (needed > bytes && fitting >= 2) {
      const std::int64_t times = (r.batch + fitting - 1) / fitting;
      advice.emplace_back("does not fit: " + bytes_text(needed) + " of " + bytes_text(bytes) +
                          "; the largest batch is " + std::to_string(fitting) + ". batch " +
                          std::to_string((r.batch + times - 1) / times) + " with accumulate " +
                          std::to_string(times * r.accumulate) + " keeps the pictures per step" +
                          (r.recompute ? "" : "; recompute: true needs less for the same batch"));
    } else if (needed > bytes) {
      advice.emplace_back("does not fit: not even two pictures; more ranks share out the " +
                          bytes_text(2 * rank_rows(r, job) * r.backbone.embedding * kF32) + " of class centres");
    } else if (fitting > r.batch) {
      advice.emplace_back("fits; the largest batch would be " + std::to_string(fitting));
    }
  }
  const double per_step = static_cast<double>(r.batch * r.ranks * r.accumulate);
  const double usual = kReferenceRate * per_step / kReferencePictures;
  if (r.optimizer.kind == RowRuleKind::kSgd && r.init.empty() && job.pictures >= kManyPictures &&
      (r.rate > 4 * usual || r.rate < usual / 4))
    advice.emplace_back("optimizer.rate " + number(r.rate) + " is far from " + number(usual) +
                        ", what the published runs' 0.1 for " + "1,024 pictures per step comes to for these " +
                        number(per_step));
  if (job.identities >= kManyIdentities && r.sample_rate >= 1)
    advice.emplace_back(
        "head.sample_rate 0.1 to 0.3 cuts the classifier's work; published accuracy on 617,970 "
        "identities then moves by 0.2 points at most");
  if (r.schedule.total > 0 && r.schedule.warmup > r.schedule.total)
    advice.emplace_back("schedule.warmup is longer than the run: the rate never reaches optimizer.rate");
  if (job.pictures > 0 && static_cast<double>(job.pictures) < 5.0 * static_cast<double>(job.identities))
    advice.emplace_back(
        "fewer than five pictures per identity: start from trained weights (backbone.init) with a low rate");
  return advice;
}

}  // namespace likeness::train
