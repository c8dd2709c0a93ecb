// Batch norm with PReLU and addition: gradients against finite differences, everything against PyTorch's own operators,
// odd numbers of channels and pixels.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "model/torch/norm.h"
#include "tests/model/torch_support.h"

namespace likeness::model {
namespace {

using test::channels_last;
using test::drawn;
using test::expect_gradients;
using test::leaf;
using test::relative_error;

struct NormCase {
  std::int64_t batch, channels, side;
  bool slope, residual, training;
};

std::vector<NormCase> norm_cases() {
  std::vector<NormCase> cases;
  for (const std::int64_t channels : {1, 13, 127, 300}) {
    for (const bool slope : {false, true}) {
      for (const bool residual : {false, true}) cases.push_back({3, channels, 5, slope, residual, true});
    }
  }
  cases.push_back({70, 8, 7, true, true, true});    // more rows than one piece of partial sums
  cases.push_back({5, 13, 0, false, false, true});  // [B,C]
  cases.push_back({3, 13, 5, true, true, false});
  return cases;
}

std::vector<at::Tensor> norm_inputs(const NormCase& c) {
  std::vector<std::int64_t> shape{c.batch, c.channels};
  if (c.side > 0) shape.insert(shape.end(), {c.side, c.side});
  std::vector<at::Tensor> in{drawn("x", shape) + 3, drawn("gamma", {c.channels}, 0.5, 1.5),
                             drawn("beta", {c.channels})};
  if (c.slope) in.push_back(drawn("slope", {c.channels}, 0.1, 0.4));
  if (c.residual) in.push_back(drawn("residual", shape));
  return in;
}

NormParameters norm_parameters(const NormCase& c, const std::vector<at::Tensor>& in, const at::Tensor& mean,
                               const at::Tensor& var) {
  return {.gamma = in[1],
          .beta = in[2],
          .running_mean = mean,
          .running_var = var,
          .slope = c.slope ? in[3] : at::Tensor(),
          .epsilon = 1e-5,
          .momentum = 0.1,
          .training = c.training};
}

std::string name_of(const NormCase& c) {
  return std::to_string(c.channels) + " channels" + (c.slope ? ", slope" : "") + (c.residual ? ", residual" : "") +
         (c.training ? "" : ", evaluation");
}

TEST(Norm, GradientsEqualFiniteDifferences) {
  for (const NormCase& c : norm_cases()) {
    if (c.batch > 10) continue;  // with so many values per channel, a step moves some across PReLU's kink
    expect_gradients(
        norm_inputs(c),
        [&](const std::vector<at::Tensor>& in) {
          const at::Tensor mean = at::full({c.channels}, 2.9, at::kDouble),
                           var = at::full({c.channels}, 0.7, at::kDouble);
          return norm(in[0], c.residual ? in.back() : at::Tensor(), norm_parameters(c, in, mean, var));
        },
        name_of(c));
  }
}

// Output, gradients and running statistics of PyTorch's batch norm, PReLU and addition.
void expect_like_pytorch(const NormCase& c, at::ScalarType dtype, double tolerance) {
  std::vector<at::Tensor> ours, theirs;
  for (const at::Tensor& t : norm_inputs(c)) {
    ours.push_back(leaf(t.to(dtype)));
    theirs.push_back(leaf(t));
  }
  const at::Tensor mean = drawn("mean", {c.channels}) + 3, var = drawn("var", {c.channels}, 0.5, 1.5);
  const at::Tensor our_mean = mean.to(dtype).clone(), our_var = var.to(dtype).clone();
  const at::Tensor got =
      norm(ours[0], c.residual ? ours.back() : at::Tensor(), norm_parameters(c, ours, our_mean, our_var));
  at::Tensor want = at::batch_norm(theirs[0], theirs[1], theirs[2], mean, var, c.training, 0.1, 1e-5, false);
  if (c.slope) want = at::prelu(want, theirs[3]);
  if (c.residual) want = want + theirs.back();
  EXPECT_LT(relative_error(got, want), tolerance) << name_of(c);
  const at::Tensor r = drawn("r", want.sizes());
  (got * r.to(dtype)).sum().backward();
  (want * r).sum().backward();
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_LT(relative_error(ours[i].grad(), theirs[i].grad()), 4 * tolerance) << name_of(c) << ", input " << i;
  EXPECT_LT(relative_error(our_mean, mean), tolerance);
  EXPECT_LT(relative_error(our_var, var), tolerance);
}

TEST(Norm, EqualsPyTorchF64) {
  for (const NormCase& c : norm_cases()) expect_like_pytorch(c, at::kDouble, 1e-12);
}
TEST(Norm, EqualsPyTorchF32) {
  for (const NormCase& c : norm_cases()) expect_like_pytorch(c, at::kFloat, 4e-6);
}

TEST(Norm, KeepsItsAccuracyFarFromZero) {  // a difference of squares around zero would lose every digit here
  const at::Tensor x = drawn("x", {64, 13, 9, 9}) + 1000;
  const at::Tensor ones = at::ones({13}), zeros = at::zeros({13});
  const at::Tensor got =
      norm(x.to(at::kFloat), {},
           {.gamma = ones, .beta = zeros, .running_mean = zeros.clone(), .running_var = ones.clone(), .slope = {}});
  const at::Tensor rounded = x.to(at::kFloat).to(at::kDouble);
  const at::Tensor centred = rounded - rounded.mean({0, 2, 3}, true);
  const at::Tensor want = centred / (centred.square().mean({0, 2, 3}, true) + 1e-5).sqrt();
  EXPECT_LT(relative_error(got, want), 1e-4);
}

TEST(Norm, IsTheSameForAnyNumberOfThreads) {
  const at::Tensor x = leaf(channels_last(drawn("x", {32, 40, 14, 14}).to(at::kFloat)));
  const at::Tensor gamma = leaf(at::ones({40})), beta = leaf(at::zeros({40})), slope = leaf(at::full({40}, 0.25));
  const int before = at::get_num_threads();
  std::vector<at::Tensor> outputs, gradients;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const at::Tensor z = norm(
        x, {},
        {.gamma = gamma, .beta = beta, .running_mean = at::zeros({40}), .running_var = at::ones({40}), .slope = slope});
    z.square().sum().backward();
    outputs.push_back(z.detach());
    gradients.push_back(x.grad().clone());
    x.mutable_grad().reset();
  }
  at::set_num_threads(before);
  for (int i : {1, 2}) {
    EXPECT_TRUE(at::equal(outputs[0], outputs[i]));
    EXPECT_TRUE(at::equal(gradients[0], gradients[i]));
  }
}

TEST(Norm, RefusesASingleValuePerChannel) {
  const at::Tensor one = at::ones({4});
  EXPECT_THROW(norm(at::ones({1, 4}), {},
                    {.gamma = one, .beta = one, .running_mean = one.clone(), .running_var = one.clone(), .slope = {}}),
               c10::Error);
}

}  // namespace
}  // namespace likeness::model
