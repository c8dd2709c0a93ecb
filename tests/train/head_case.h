// Inputs and references of the classifier's tests.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "tests/support/npz.h"
#include "tests/support/paths.h"
#include "train/head/classifier.h"

namespace likeness::test {

at::Tensor tensor_of(const Array& a);  // f64
at::Tensor labels_of(const Array& a);

// Every entry within 1e-12 of the array's largest; entries where the reference is not finite must be finite here.
void expect_equal(const at::Tensor& got, const Array& reference, const std::string& what, double tolerance = 1e-12);

struct HeadResult {
  at::Tensor loss, embeddings, weight, bias;  // weight, bias: their gradients
};
HeadResult run_head(train::Classifier& head, const at::Tensor& embeddings, const at::Tensor& labels,
                    std::int64_t step = 0);

// A head on this rank's part of `weight` [C*K,D].
train::Classifier head_with(const train::LossOptions& loss, const at::Tensor& weight,
                            train::ClassifierOptions options = {}, train::Group* group = nullptr);

std::vector<std::string> loss_names();  // of the whole table

}  // namespace likeness::test
