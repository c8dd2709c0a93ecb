#include "model/torch/footprint.h"

#include <algorithm>
#include <vector>

#include "model/torch/free_blocks.h"
#include "model/torch/plan.h"
#include "model/torch/recompute.h"

namespace likeness::model {
namespace {

constexpr std::int64_t kF32 = 4;

// Allocations on paper. Large ones come from kept blocks; small ones from a heap of which the highest level counts.
class Paper {
 public:
  using Id = std::size_t;

  Id allocate(std::int64_t bytes) {
    const auto size = static_cast<std::size_t>(bytes);
    Tensor t{.bytes = size, .block = 0, .readers = 1};
    if (size >= FreeBlocks<char>::kLarge) {
      if (const auto block = blocks_.take(size)) {
        t.block = block->first;
      } else {
        t.block = FreeBlocks<char>::rounded(size);
        kept_ += t.block;
      }
    } else {
      heap_ += size;
      highest_heap_ = std::max(highest_heap_, heap_);
    }
    tensors_.push_back(t);
    return tensors_.size() - 1;
  }
  void retain(Id id) { ++tensors_[id].readers; }
  void release(Id id) {
    Tensor& t = tensors_[id];
    if (--t.readers > 0) return;
    if (t.block > 0)
      blocks_.give(t.block, 0);
    else
      heap_ -= t.bytes;
  }
  void passing(std::int64_t bytes) { release(allocate(bytes)); }
  std::int64_t total() const { return static_cast<std::int64_t>(kept_ + highest_heap_); }

 private:
  struct Tensor {
    std::size_t bytes, block;
    int readers;
  };
  std::vector<Tensor> tensors_;
  FreeBlocks<char> blocks_;
  std::size_t kept_ = 0, heap_ = 0, highest_heap_ = 0;
};

class Rehearsal {
 public:
  Rehearsal(const Graph& graph, const FootprintOptions& options)
      : graph_(graph), options_(options), plan_(make_plan(graph)), flat_(graph.nodes.size(), false) {
    // Feature maps are bf16 up to where they are flattened.
    for (std::size_t i = 1; i < graph.nodes.size(); ++i)
      for (int input : graph.nodes[i].inputs)
        flat_[i] = flat_[i] || graph.nodes[i].op == Op::kFlatten || flat_[static_cast<std::size_t>(input)];
  }

  std::int64_t run() {
    // Two steps: what the first one freed serves the second.
    for (int i = 0; i < 2; ++i) step();
    return paper_.total();
  }

 private:
  static constexpr Paper::Id kNone = static_cast<Paper::Id>(-1);

  std::int64_t elements(int node) const {
    return options_.batch * element_count(graph_.nodes[static_cast<std::size_t>(node)].shape);
  }
  std::int64_t bytes(int node) const {
    return elements(node) * (options_.bf16 && !flat_[static_cast<std::size_t>(node)] ? 2 : kF32);
  }
  bool widened(const Step& s) const {
    const Node& n = graph_.nodes[static_cast<std::size_t>(s.node)];
    const bool pointwise = n.kernel_h == 1 && n.kernel_w == 1 && n.stride == 1 && n.groups == 1;
    const bool narrow = n.groups > 1;
    return options_.bf16 && !options_.bf16_is_native && s.op == Op::kConv && !pointwise && !narrow;
  }

  void step() {
    const std::size_t count = graph_.nodes.size();
    const auto steps = static_cast<int>(plan_.size());
    const std::vector<std::pair<int, int>> pieces =
        options_.recompute ? pieces_of_plan(plan_) : std::vector<std::pair<int, int>>{{0, steps}};
    std::vector<Paper::Id> values(count, kNone), gradients(count, kNone), starts, weight_gradients;
    std::vector<std::vector<Paper::Id>> saved(plan_.size());
    const Paper::Id pictures = paper_.allocate(elements(0) * kF32);
    values[0] = options_.bf16 ? paper_.allocate(bytes(0)) : pictures;
    if (!options_.bf16) paper_.retain(pictures);
    const auto again = [&](std::size_t i) { return i + 1 < pieces.size(); };  // backward begins with the last piece
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto [first, last] = pieces[i];
      starts.push_back(values[static_cast<std::size_t>(plan_[static_cast<std::size_t>(first)].input)]);
      if (again(i)) paper_.retain(starts.back());
      for (int s = first; s < last; ++s) forward(s, !again(i), values, saved);
    }
    gradients[count - 1] = paper_.allocate(bytes(static_cast<int>(count) - 1));
    paper_.release(values[count - 1]);
    for (std::size_t i = pieces.size(); i-- > 0;) {
      const auto [first, last] = pieces[i];
      if (again(i)) {
        values[static_cast<std::size_t>(plan_[static_cast<std::size_t>(first)].input)] = starts[i];
        for (int s = first; s < last; ++s) forward(s, true, values, saved);
        paper_.release(values[static_cast<std::size_t>(plan_[static_cast<std::size_t>(last - 1)].output)]);
      }
      for (int s = last; s-- > first;)
        backward(plan_[static_cast<std::size_t>(s)], gradients, saved[static_cast<std::size_t>(s)], weight_gradients);
    }
    for (Paper::Id id : weight_gradients) paper_.release(id);
    paper_.release(pictures);
  }

  // keep: what backward needs of it stays.
  void forward(int index, bool keep, std::vector<Paper::Id>& values, std::vector<std::vector<Paper::Id>>& all_saved) {
    const Step& s = plan_[static_cast<std::size_t>(index)];
    std::vector<Paper::Id>& saved = all_saved[static_cast<std::size_t>(index)];
    const auto input = static_cast<std::size_t>(s.input), output = static_cast<std::size_t>(s.output);
    if (widened(s)) {
      const Paper::Id in = paper_.allocate(elements(s.input) * kF32), out = paper_.allocate(elements(s.output) * kF32);
      values[output] = paper_.allocate(bytes(s.output));
      paper_.release(in), paper_.release(out);
    } else {
      values[output] = paper_.allocate(bytes(s.output));
    }
    saved.clear();
    if (keeps_input(s.op)) hold(values[input], saved);
    if (s.op == Op::kRelu) hold(values[output], saved);
    const Node& node = graph_.nodes[static_cast<std::size_t>(s.node)];
    if (s.op == Op::kDropout && node.dropout > 0 && !node.whole)
      saved.push_back(paper_.allocate(elements(s.output) * kF32));  // the mask
    if (s.op == Op::kAttention)
      saved.push_back(paper_.allocate(elements(s.output) * kF32));  // its result by heads, before it is laid out anew
    if (!keep)
      for (Paper::Id id : saved) paper_.release(id);
    for (int dead : s.dies) paper_.release(values[static_cast<std::size_t>(dead)]);
  }

  void hold(Paper::Id id, std::vector<Paper::Id>& saved) {
    paper_.retain(id);
    saved.push_back(id);
  }

  // What backward needs again. The others need nothing, indices, or a mask.
  static bool keeps_input(Op op) {
    return op == Op::kConv || op == Op::kBatchNorm || op == Op::kPRelu || op == Op::kLinear || op == Op::kLayerNorm ||
           op == Op::kAttention || op == Op::kRelu6;
  }

  void backward(const Step& s, std::vector<Paper::Id>& gradients, const std::vector<Paper::Id>& saved,
                std::vector<Paper::Id>& weight_gradients) {
    const auto output = static_cast<std::size_t>(s.output);
    // Hands its gradient on as it is.
    const bool passes = s.op == Op::kAdd || s.op == Op::kTokens || s.op == Op::kPositions;
    Paper::Id dx = gradients[output];
    if (passes) {
      paper_.retain(dx);
    } else {
      if (widened(s)) paper_.passing((elements(s.input) * 2 + elements(s.output)) * kF32);
      if (s.input > 0) dx = paper_.allocate(bytes(s.input));
    }
    const Node& node = graph_.nodes[static_cast<std::size_t>(s.node)];
    for (const TensorSpec& t : graph_.tensors)
      if (t.parameter && t.trainable && node.owns(t.name))
        weight_gradients.push_back(paper_.allocate(element_count(t.shape) * kF32));
    if (s.op == Op::kPRelu) paper_.passing(bytes(s.input));  // the slope's, before it is summed
    if (s.input > 0) add(gradients, s.input, dx);
    if (s.other >= 0 && s.op != Op::kRestoreTokens) {
      paper_.retain(gradients[output]);
      add(gradients, s.other, gradients[output]);
    }
    for (Paper::Id id : saved) paper_.release(id);
    paper_.release(gradients[output]);
  }

  // A second gradient of the same value is added to the first.
  void add(std::vector<Paper::Id>& gradients, int node, Paper::Id gradient) {
    Paper::Id& sum = gradients[static_cast<std::size_t>(node)];
    if (sum == kNone) {
      sum = gradient;
      return;
    }
    const Paper::Id total = paper_.allocate(bytes(node));
    paper_.release(sum), paper_.release(gradient);
    sum = total;
  }

  const Graph& graph_;
  const FootprintOptions& options_;
  std::vector<Step> plan_;
  std::vector<bool> flat_;
  Paper paper_;
};

}  // namespace

Footprint training_footprint(const Graph& graph, const FootprintOptions& options) {
  Footprint f;
  for (const TensorSpec& t : graph.tensors) {
    const std::int64_t bytes = t.integer ? 0 : element_count(t.shape) * kF32;
    f.weights += bytes;
    if (t.parameter && t.trainable) f.optimizer += bytes * options.buffers;
  }
  f.step = Rehearsal(graph, options).run();
  return f;
}

}  // namespace likeness::model
