// The optimizer's step as plain numbers, without Torch: what a recipe says, and what the classifier applies to rows of
// class centres, tile by tile.
#pragma once

#include <cstdint>

namespace likeness::train {

enum class RowRuleKind : int { kSgd = 0, kAdamW = 1 };

// kSgd: buffer = momentum * buffer + (g + decay * w); w -= rate * buffer, or with nesterov w -= rate * (g + decay * w +
// momentum * buffer). One buffer. torch.optim.SGD.
// kAdamW: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w = w (1 - rate decay) - rate / correction1 * m /
// (sqrt(v / correction2) + epsilon). Two buffers. torch.optim.AdamW.
struct RowRule {
  RowRuleKind kind = RowRuleKind::kSgd;
  double rate = 0;
  double weight_decay = 0;
  double momentum = 0.9;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double correction1 = 1, correction2 = 1;  // kAdamW: 1 - beta^(number + 1)
  std::int64_t number = 0;                  // steps taken before

  int buffers() const { return kind == RowRuleKind::kSgd ? 1 : 2; }
};

struct OptimizerOptions {
  RowRuleKind kind = RowRuleKind::kSgd;
  double momentum = 0.9;                              // kSgd
  bool nesterov = false;                              // kSgd
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // kAdamW
};

// The same step for the class centres, `number` steps having been taken before; number 0 is the first.
RowRule row_rule(const OptimizerOptions& options, double rate, double weight_decay, std::int64_t number);

}  // namespace likeness::train
