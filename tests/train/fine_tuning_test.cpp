// Fine-tuning as a user runs it: where networks and class centres begin.
#include <gtest/gtest.h>

#include <cmath>

#include "data/crop.h"
#include "engine/engine.h"
#include "model/graph/interpreter.h"
#include "model/graph/weights_tools.h"
#include "model/weights_file.h"
#include "tests/model/folded_onnx.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "tests/train/toy_set.h"
#include "train/checkpoint.h"
#include "train/identities.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;

class FineTuning : public testing::Test {
 protected:
  FineTuning() {
    test::make_toy_set(dir_ / "four", 4);
    test::make_toy_set(dir_ / "six", 6);
  }
  // The toy recipe on `data`, with `settings` on top.
  test::ProcessResult train(const std::string& out, const std::string& data, int steps,
                            const std::vector<std::string>& settings, int code = 0, bool resume = false) {
    std::string yaml = test::toy_recipe(data, steps);
    for (const std::string& s : settings)  // the network of a file has sizes of its own
      if (s == "backbone.name=init") {
        const std::string line = "backbone: {name: mbf, embedding: 16}\n";
        yaml.erase(yaml.find(line), line.size());
      }
    test::write_text(dir_ / "toy.yaml", yaml);
    std::vector<std::string> args{"toy.yaml", "--out", out, "--threads", "1"};
    for (const std::string& s : settings) args.insert(args.end(), {"--set", s});
    if (resume) args.push_back("--resume");
    test::ProcessOptions options;
    options.cwd = dir_.path();
    const test::ProcessResult r = test::run_process("likeness-train", args, options);
    EXPECT_EQ(r.exit_code, code) << r.out << r.err;
    return r;
  }
  void refused(const std::vector<std::string>& settings, int code, const std::string& word) {
    const test::ProcessResult r = train("x", "four", 1, settings, code);
    EXPECT_NE(r.err.find(word), std::string::npos) << r.err;
    EXPECT_FALSE(fs::exists(dir_ / "x"));
  }
  Checkpoint newest(const std::string& run) { return load_checkpoint(*newest_checkpoint(dir_ / run)); }
  static std::vector<double> centres(const Checkpoint& c, std::int64_t classes) {
    return join_rows(c.head, "weight", classes, 16, "head").as_double();
  }
  // Mean direction of a person's pictures by the f64 interpreter.
  std::vector<double> mean_direction(const model::TrainedModel& m, const std::string& data, std::int64_t label) {
    const auto source = data::open_faces(dir_ / data);
    data::CropReader reader(*source, m.contract.geometry);
    const model::Interpreter network(m.graph, m.weights);
    std::vector<double> sum(static_cast<std::size_t>(m.graph.dimension));
    std::vector<std::uint8_t> pixels(16 * 16 * 3);
    for (std::int64_t i = 0; i < source->size(); ++i) {
      if (source->label(i) != label) continue;
      reader.read(i, pixels.data());
      const std::vector<float> input = engine::to_input(pixels.data(), 1, m.contract, false);
      const std::vector<double> e = network.run({input.begin(), input.end()}, 1);
      double norm = 0;
      for (double v : e) norm += v * v;
      for (std::size_t d = 0; d < e.size(); ++d) sum[d] += e[d] / std::sqrt(norm);
    }
    return sum;
  }
  test::TempDir dir_;
};

double length(const double* v) {
  double sum = 0;
  for (int d = 0; d < 16; ++d) sum += v[d] * v[d];
  return std::sqrt(sum);
}

double cosine(const double* a, const double* b) {
  double ab = 0;
  for (int d = 0; d < 16; ++d) ab += a[d] * b[d];
  return ab / length(a) / length(b);
}

TEST_F(FineTuning, CentresBeginAsTheMeansOfTheirPictures) {
  train("base", "four", 6, {});
  train("tuned", "four", 0, {"backbone.init=base", "head.centres=data", "head.sub_centers=2"});
  const Checkpoint c = newest("tuned");
  const std::vector<double> rows = join_rows(c.head, "weight", 8, 16, "head").as_double();
  for (std::int64_t label = 0; label < 4; ++label) {
    const std::vector<double> mean = mean_direction(c.model, "four", label);
    const double *first = &rows[static_cast<std::size_t>(label) * 32], *second = first + 16;
    EXPECT_GT(cosine(first, mean.data()), 1 - 1e-6) << label;
    EXPECT_NEAR(length(first), 0.01 * 4, 1e-6);  // init_std sqrt(D)
    EXPECT_NEAR(length(second), 0.01 * 4, 1e-6);
    EXPECT_LT(cosine(first, second), 0.9999);
    EXPECT_GT(cosine(first, second), 0.97);
  }
}

TEST_F(FineTuning, KnownIdentitiesKeepTheirCentresAndNewOnesAreAppended) {
  train("base", "four", 6, {});
  EXPECT_EQ(read_identities(dir_ / "base"), (std::vector<std::string>{"p10", "p11", "p12", "p13"}));
  fs::remove_all(dir_ / "six/p10");  // so that labels differ
  train("tuned", "six", 0, {"backbone.init=base", "head.centres=run"});
  const Checkpoint base = newest("base"), tuned = newest("tuned");
  for (const auto& [name, t] : base.model.weights.tensors) EXPECT_EQ(tuned.model.weights.at(name).data, t.data) << name;
  const std::vector<double> old = centres(base, 4), now = centres(tuned, 5);
  double kept = 0;
  for (std::size_t i = 0; i < 3; ++i) {  // p11, p12, p13: labels 1, 2, 3, and now 0, 1, 2
    for (std::size_t d = 0; d < 16; ++d) EXPECT_EQ(now[i * 16 + d], old[(i + 1) * 16 + d]);
    kept += length(&now[i * 16]) / 3;
  }
  for (std::int64_t label = 3; label < 5; ++label) {
    const double* row = &now[static_cast<std::size_t>(label) * 16];
    EXPECT_GT(cosine(row, mean_direction(tuned.model, "six", label).data()), 1 - 1e-6);
    EXPECT_NEAR(length(row), kept, 1e-5);
  }
  train("on", "six", 4, {"backbone.init=base", "head.centres=run"});
  train("on", "six", 8, {"backbone.init=base", "head.centres=run"}, 2, true);  // other steps: another run
  // From a checkpoint of the run, and with nobody in common.
  train("again", "six", 0,
        {"backbone.init=" + newest_checkpoint(dir_ / "base")->lexically_relative(dir_.path()).string(),
         "head.centres=run"});
  EXPECT_EQ(centres(newest("again"), 5), now);
  fs::rename(dir_ / "four", dir_ / "others");
  for (int p = 0; p < 4; ++p)
    fs::rename(dir_ / "others" / test::person_name(p), dir_ / "others" / ("q" + std::to_string(p)));
  const test::ProcessResult r = train("x", "others", 1, {"backbone.init=base", "head.centres=run"}, 4);
  EXPECT_NE(r.err.find("none of the set's identities"), std::string::npos) << r.err;
}

TEST_F(FineTuning, NetworksComeOutOfEveryKindOfFile) {
  train("base", "four", 3, {});
  const Checkpoint base = newest("base");
  model::WeightsFile file = model::read_weights_file(dir_ / "base");
  model::write_weights_file(dir_ / "base.pt", file, IfExists::kRefuse);
  file.contract.reset();
  model::write_weights_file(dir_ / "bare.safetensors", file, IfExists::kRefuse);
  const model::Folded folded = model::fold(base.model.graph, base.model.weights);
  test::write_text(dir_ / "folded.onnx", model::anonymous_onnx(folded));
  const std::vector<double> input = model::Stream("x").uniform(2 * 3 * 16 * 16, -1, 1);
  const auto embed = [&](const model::TrainedModel& m) { return model::Interpreter(m.graph, m.weights).run(input, 2); };
  for (const std::string from : {"base", "base.pt", "bare.safetensors", "folded.onnx"}) {
    std::vector<std::string> settings{"backbone.init=" + from};
    if (from == "folded.onnx") settings.push_back("backbone.preprocess=mean=127.5;std=127.5;order=rgb");
    train("from-" + from, "four", 0, settings);
    const Checkpoint c = newest("from-" + from);
    EXPECT_EQ(c.model.graph.options, base.model.graph.options);
    EXPECT_LE(model::relative_error(embed(c.model), embed(base.model)), from == "folded.onnx" ? 1e-4 : 0) << from;
  }
}

TEST_F(FineTuning, AForeignNetworkIsTrainedResumedAndKeepsItsGraph) {
  const model::Graph graph = model::small_foreign_graph();
  test::write_text(dir_ / "other.onnx", model::anonymous_onnx(model::fold(graph, model::deterministic_fill(graph))));
  const std::vector<std::string> settings{
      "backbone.name=init", "backbone.init=other.onnx",
      "backbone.preprocess=mean=123.675,116.28,103.53;std=58.395,57.12,57.375;order=rgb"};
  train("start", "four", 0, settings);
  const Checkpoint start = newest("start");
  EXPECT_EQ(start.model.contract.preprocess.mean[0], 123.675);
  EXPECT_EQ(start.model.graph.dimension, 6);
  double moved = 0;  // statistics are the pictures', before the first step
  for (double m : start.model.weights.at("Conv_0_bn.running_mean").as_double()) moved += std::abs(m);
  EXPECT_GT(moved, 0);
  train("whole", "four", 6, settings);
  std::vector<std::string> often = settings;
  often.push_back("checkpoint_every=3");
  train("cut", "four", 6, often);
  fs::remove_all(dir_ / "cut/checkpoints/step-6");
  fs::remove(dir_ / "cut/DONE");
  train("cut", "four", 6, often, 0, true);
  const Checkpoint whole = newest("whole"), cut = newest("cut");
  EXPECT_EQ(whole.progress.step, 6);
  for (const auto& [name, t] : whole.model.weights.tensors) EXPECT_EQ(cut.model.weights.at(name).data, t.data) << name;
  EXPECT_NE(model::difference(whole.model.weights.at("Conv_0.weight"), start.model.weights.at("Conv_0.weight")).largest,
            0);
  EXPECT_EQ(model::load_model(dir_ / "whole").graph.nodes, start.model.graph.nodes);
}

TEST_F(FineTuning, WhatDoesNotFitIsNamed) {
  train("base", "four", 1, {});
  refused({"backbone.init=base", "backbone.embedding=8"}, 4, "backbone.embedding: 8");
  refused({"backbone.init=base", "backbone.name=r18"}, 4, "tensor conv1.weight");
  test::make_toy_set(dir_ / "wide", 4, 5, 32);
  refused({"backbone.init=base", "data=wide", "input=32"}, 4, "16x16 pixels");
  refused({"backbone.name=init", "backbone.init=base", "input=32"}, 4, "input: 32");
  refused({"backbone.init=base", "head.centres=run", "head.sub_centers=3"}, 4, "head.sub_centers: 3");
  refused({"backbone.init=base", "backbone.preprocess=mean=0;std=255;order=rgb"}, 2, "contradicts");
  refused({"backbone.init=nowhere"}, 4, "nowhere");
  refused({"backbone.init=base/checkpoints/step-1/head.safetensors"}, 4, "not the weights of a network");
  refused({"backbone.init=base/checkpoints/step-1/model.safetensors", "head.centres=run"}, 2, "checkpoints only");
  const model::Graph graph = model::small_foreign_graph();
  test::write_text(dir_ / "other.onnx", model::anonymous_onnx(model::fold(graph, model::deterministic_fill(graph))));
  refused({"backbone.name=init", "backbone.init=other.onnx"}, 2, "backbone.preprocess");
  fs::remove(dir_ / "base/identities.json");
  refused({"backbone.init=base", "head.centres=run"}, 4, "whose class centres");
}

}  // namespace
}  // namespace likeness::train
