// A training recipe: everything a YAML file of configs/ can say, parsed once into plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config.h"
#include "model/graph/backbones.h"
#include "train/further_options.h"
#include "train/head/loss_options.h"
#include "train/head/sample_stages.h"
#include "train/optim/ema_options.h"
#include "train/optim/row_rule.h"
#include "train/optim/schedule.h"
#include "train/outliers.h"
#include "train/terms/options.h"

namespace likeness::train {

enum class GeometryChoice {
  kAuto,      // as the set's pictures are if their size fits `input`, else the field's template
  kPictures,  // as the set's pictures are; another size is an error
  kArcface,   // the field's five points at `input` pixels; pictures are warped to it
  kUnknown,   // the pictures as they are, although nobody knows where the faces are in them
};

// backbone.name for the network of backbone.init's file, whatever it is.
inline constexpr const char* kNetworkOfInit = "init";

struct Recipe {
  std::string data;                     // path of the training set
  std::string exclude;                  // CSV whose column `record` names pictures to leave out; "" for none
  std::vector<FurtherSetOptions> also;  // sets trained on at the same time
  int input = 0;                        // pixels, square; 0: the size of the set's pictures
  GeometryChoice geometry = GeometryChoice::kAuto;
  std::uint64_t seed = 1;

  model::BackboneOptions backbone;  // its `input` is filled in once the set is open
  std::string init;                 // weights to start from; "" for the backbone's own initialisation
  std::string init_preprocess;      // how that network is fed, where its file does not say
  LossOptions loss;
  double head_std = 0.01;
  std::string centres = "random";  // where class centres begin: random, data, run (train/centres.h)
  std::string head_init;           // centres to start from: a run, a checkpoint, or what `train drop --centers` wrote
  std::int64_t sub_centers = 1;
  double sample_rate = 1;
  std::vector<SampleStage> sample_stages;
  bool sparse = false;
  std::int64_t head_keep_bytes = std::int64_t{1} << 30;
  std::string head_precision = "f32";  // f32, bf16: of the products' operands
  bool cap_reported_loss = false;

  double epochs = 5;        // ignored where steps is given
  std::int64_t steps = -1;  // -1: epochs; 0: write the untrained network
  std::int64_t batch = 64;
  std::int64_t accumulate = 1;            // batches per step
  int ranks = 1;                          // filled in by the session; `batch` is per rank
  std::string rank_compression = "none";  // none, bf16: of the gradients sent between ranks
  double rank_timeout = 300;              // seconds until a rank that does not answer is given up
  double flip = 0.5;
  std::int64_t per_identity = 0;  // pictures of an identity in a batch; 0: every picture once an epoch
  double triplet_weight = 0, triplet_margin = 0.3;
  std::string precision = "f32";        // f32, bf16, fp16
  double loss_scale = 65536;            // at the start, with fp16
  std::string batch_norm = "per_rank";  // statistics: per_rank, synchronised, frozen
  bool recompute = false;               // backward computes feature maps again instead of keeping them

  OptimizerOptions optimizer;
  double rate = 0.05;
  double weight_decay = 5e-4;
  bool decay_everything = true;                       // false: norm layers, biases and PReLU slopes are left out
  std::vector<std::pair<std::string, double>> rates;  // factors on the rate by pattern
  std::vector<std::string> freeze;                    // patterns of parameters that are not trained
  double clip = 5;                                    // 0: no clipping
  double clip_value = 0;                              // 0: none
  Schedule schedule;                                  // `total` is filled in once the set is open
  std::vector<double> milestones;                     // in epochs, for schedule.kind step
  EmaOptions ema;
  DistillOptions distill;
  CompatibleOptions compatible;

  std::int64_t guard_skips = 3;      // steps in a row that may be skipped because loss or gradient is not finite
  std::int64_t guard_rollbacks = 2;  // times a run goes back to its newest checkpoint after more
  double guard_slower = 0.5;         // factor on the rate each time it does

  OutlierOptions outliers;

  std::int64_t log_every = 50;
  std::int64_t checkpoint_every = 0;  // 0: at the end of every epoch
  std::int64_t keep = 3;
  bool checkpoint_async = true;  // steps go on while a checkpoint is written
  std::vector<std::string> validate;
  std::int64_t validate_every = 0;  // 0: with every checkpoint
  std::string best;                 // "SET/METRIC" that chooses the best weights; "": the first metric of the first set
  std::int64_t histograms_every = 0;  // steps between TensorBoard's histograms of weights and gradients; 0: none
  std::int64_t first_pictures = 16;   // of the first batch, as the network is shown them, to TensorBoard; 0: none
  int workers = 1;
  bool skip_bad = false;

  std::int64_t pictures_per_step() const;  // of all sets, on one rank

  // What decides the weights: two runs with equal settings (and machine, threads, data) end equal. Resuming with others
  // is refused. A part that is switched off has none.
  std::map<std::string, std::string> settings() const;
};

// Reads every key; unknown keys, wrong types and values out of range are kUsage naming file, line and the nearest key.
Recipe read_recipe(Config& config);

// Fills in what the set decides: the network's input side (pixels), steps in all, milestones and paces that are said in
// epochs. `recipe.ranks` must be known.
void complete_recipe(Recipe& recipe, std::int64_t pictures, int side);

}  // namespace likeness::train
