#include <torch/torch.h>

#include "train/dist/group.h"

namespace likeness::train {
namespace {

class Done : public Pending {
 public:
  void wait() override {}
};

class SoloGroup : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce_sum(at::Tensor&) override {}
  void all_reduce_max(at::Tensor&) override {}
  void broadcast(at::Tensor&, int) override {}
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override { return {tensor.clone()}; }
  void barrier() override {}
  std::unique_ptr<Pending> start_sum(at::Tensor&) override { return std::make_unique<Done>(); }
};

}  // namespace

std::unique_ptr<Group> solo_group() { return std::make_unique<SoloGroup>(); }

}  // namespace likeness::train
