#include <torch/torch.h>

#include "train/dist/group.h"

namespace likeness::train {
namespace {

class SoloGroup : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce_sum(at::Tensor&) override {}
  void all_reduce_max(at::Tensor&) override {}
  void broadcast(at::Tensor&, int) override {}
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override { return {tensor.clone()}; }
  void barrier() override {}
};

}  // namespace

std::unique_ptr<Group> solo_group() { return std::make_unique<SoloGroup>(); }

}  // namespace likeness::train
