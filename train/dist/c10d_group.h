// Any c10d backend as a Group. Included by the files that know a backend.
#pragma once

#include <functional>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "train/dist/group.h"
#include "train/dist/roll_call.h"

namespace likeness::train {

class C10dGroup : public Group {
 public:
  // hang_up: closes the connections to all ranks at once, so that those waiting for this one learn of a failure now and
  // not after their own timeout.
  C10dGroup(c10::intrusive_ptr<c10d::Backend> backend, c10::intrusive_ptr<c10d::Store> store,
            std::chrono::milliseconds timeout, std::function<void()> hang_up);
  int rank() const override { return backend_->getRank(); }
  int size() const override { return backend_->getSize(); }
  void all_reduce_sum(at::Tensor& tensor) override;
  void all_reduce_max(at::Tensor& tensor) override;
  void broadcast(at::Tensor& tensor, int root) override;
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override;
  void barrier() override;
  std::unique_ptr<Pending> start_sum(at::Tensor& tensor) override;

 private:
  friend class C10dPending;
  using Work = c10::intrusive_ptr<c10d::Work>;
  template <class Start>
  Work begin(const char* operation, Start start);
  void finish(const char* operation, const Work& work);
  void all_reduce(at::Tensor& tensor, c10d::ReduceOp operation);
  [[noreturn]] void lost(const char* operation, const std::exception& error);

  c10::intrusive_ptr<c10d::Backend> backend_;
  std::chrono::milliseconds timeout_;
  std::function<void()> hang_up_;
  RollCall roll_;
};

// Makes a group with what `make` builds on the store through which the ranks find each other: rank 0 serves it at
// options.host and options.port. kEnvironment when they do not.
std::unique_ptr<Group> meet(
    const GroupOptions& options,
    const std::function<std::unique_ptr<Group>(const c10::intrusive_ptr<c10d::Store>& store)>& make);

}  // namespace likeness::train
