// Any c10d backend as a Group. Included by the files that know a backend.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/error.h"
#include "train/dist/group.h"

namespace likeness::train {

// Rank 0 serves the store that the others find it by.
inline c10::intrusive_ptr<c10d::Store> open_store(const GroupOptions& o) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(o.port);
  options.isServer = o.rank == 0;
  options.numWorkers = static_cast<std::size_t>(o.size);
  options.waitWorkers = o.size > 1;
  options.timeout = o.timeout;
  return c10::make_intrusive<c10d::TCPStore>(o.host, options);
}

class C10dGroup : public Group {
 public:
  C10dGroup(c10::intrusive_ptr<c10d::Backend> backend, std::chrono::milliseconds timeout)
      : backend_(std::move(backend)), timeout_(timeout) {}
  int rank() const override { return backend_->getRank(); }
  int size() const override { return backend_->getSize(); }

  void all_reduce_sum(at::Tensor& tensor) override { all_reduce(tensor, c10d::ReduceOp::SUM); }
  void all_reduce_max(at::Tensor& tensor) override { all_reduce(tensor, c10d::ReduceOp::MAX); }
  void broadcast(at::Tensor& tensor, int root) override {
    std::vector<at::Tensor> tensors{tensor};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    options.timeout = timeout_;
    wait("broadcast", [&] { return backend_->broadcast(tensors, options); });
  }
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override {
    std::vector<at::Tensor> input{tensor};
    std::vector<std::vector<at::Tensor>> output(1);
    for (int r = 0; r < size(); ++r) output[0].push_back(at::empty_like(tensor));
    c10d::AllgatherOptions options;
    options.timeout = timeout_;
    wait("all-gather", [&] { return backend_->allgather(output, input, options); });
    return output[0];
  }
  void barrier() override {
    c10d::BarrierOptions options;
    options.timeout = timeout_;
    wait("barrier", [&] { return backend_->barrier(options); });
  }

 private:
  void all_reduce(at::Tensor& tensor, c10d::ReduceOp operation) {
    std::vector<at::Tensor> tensors{tensor};
    c10d::AllreduceOptions options;
    options.reduceOp = std::move(operation);
    options.timeout = timeout_;
    wait("all-reduce", [&] { return backend_->allreduce(tensors, options); });
  }
  template <class Start>
  void wait(const char* operation, Start start) {
    try {
      start()->wait(timeout_);
    } catch (const std::exception& e) {
      fail_environment({.what = "a rank was lost",
                        .where = "rank " + std::to_string(rank()) + " of " + std::to_string(size()) + ", " + operation,
                        .expected = "every rank within " + std::to_string(timeout_.count() / 1000) + " s",
                        .got = e.what()});
    }
  }
  c10::intrusive_ptr<c10d::Backend> backend_;
  std::chrono::milliseconds timeout_;
};

}  // namespace likeness::train
