#include <torch/torch.h>

#include "core/error.h"
#include "train/dist/group.h"

namespace likeness::train {
namespace {

class MixedGroup : public Group {
 public:
  MixedGroup(std::unique_ptr<Group> host, std::unique_ptr<Group> device)
      : host_(std::move(host)), device_(std::move(device)) {
    LIKENESS_ASSERT(host_->rank() == device_->rank() && host_->size() == device_->size());
  }
  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  void all_reduce_sum(at::Tensor& tensor) override { of(tensor).all_reduce_sum(tensor); }
  void all_reduce_max(at::Tensor& tensor) override { of(tensor).all_reduce_max(tensor); }
  void broadcast(at::Tensor& tensor, int root) override { of(tensor).broadcast(tensor, root); }
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override { return of(tensor).all_gather(tensor); }
  void barrier() override { host_->barrier(); }
  std::unique_ptr<Pending> start_sum(at::Tensor& tensor) override { return of(tensor).start_sum(tensor); }
  void at_step(std::int64_t step) override { host_->at_step(step), device_->at_step(step); }

 private:
  Group& of(const at::Tensor& tensor) { return tensor.device().is_cpu() ? *host_ : *device_; }
  std::unique_ptr<Group> host_, device_;
};

}  // namespace

std::unique_ptr<Group> mixed_group(std::unique_ptr<Group> host, std::unique_ptr<Group> device) {
  return std::make_unique<MixedGroup>(std::move(host), std::move(device));
}

}  // namespace likeness::train
