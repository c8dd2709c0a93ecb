// The ranks of a run and what they say to each other. A world of one is a group like any other, so callers need no
// special case.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "train/dist/group_options.h"

namespace c10d {
class Store;
}

namespace likeness::train {

// An operation under way.
class Pending {
 public:
  virtual ~Pending() = default;
  // Until the tensor holds the result. Errors as Group's. Call it once.
  virtual void wait() = 0;
};

// All ranks call the same operations in the same order with tensors of equal shape and type, contiguous. Not
// thread-safe. Errors: kEnvironment naming this rank, its host, step and operation, and the ranks that do not answer,
// when a rank is lost or the timeout passes. No operation succeeds after that: the other ranks are told by closing all
// connections.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void all_reduce_sum(at::Tensor& tensor) = 0;                       // in place
  virtual void all_reduce_max(at::Tensor& tensor) = 0;                       // in place
  virtual void broadcast(at::Tensor& tensor, int root) = 0;                  // in place
  virtual std::vector<at::Tensor> all_gather(const at::Tensor& tensor) = 0;  // by rank
  virtual void barrier() = 0;
  // Begins a sum in place and returns. Until wait() has returned, the tensor's memory is the group's; other operations
  // may be called meanwhile. The timeout runs from here.
  virtual std::unique_ptr<Pending> start_sum(at::Tensor& tensor) = 0;

  // The step that messages name from now on; "before the first step" until it is told.
  virtual void at_step(std::int64_t step) { step_ = step; }

 protected:
  std::int64_t step_ = -1;
};

// Alone: every operation is the identity.
std::unique_ptr<Group> solo_group();
// Tensors on the CPU. Returns when all ranks are there. kEnvironment: rank 0's store cannot be opened or reached in
// time, or a rank is missing.
std::unique_ptr<Group> gloo_group(const GroupOptions& options);

// Two groups of the same ranks as one: tensors on the CPU go through `host`, all others through `device`; barriers
// through `host`.
std::unique_ptr<Group> mixed_group(std::unique_ptr<Group> host, std::unique_ptr<Group> device);

// NCCL between the current CUDA devices of the ranks that meet at `store`; the caller owns what it gives.
using MakeNccl = Group* (*)(const GroupOptions& options, const c10::intrusive_ptr<c10d::Store>& store);
// The name under which liblikeness_cuda.so exports one.
inline constexpr const char* kNcclGroup = "likeness_nccl_group";
// Ranks that train on GPUs: tensors there through NCCL, those on the CPU over Gloo. Errors as gloo_group's.
std::unique_ptr<Group> gpu_group(const GroupOptions& options, MakeNccl nccl);

}  // namespace likeness::train
