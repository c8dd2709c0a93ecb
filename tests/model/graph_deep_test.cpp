// The deep networks through the interpreter: minutes on small machines, so not in the default run.
#include "tests/model/graph_forward.h"

namespace likeness::model {
namespace {

class DeepForward : public testing::TestWithParam<const char*> {};
TEST_P(DeepForward, EqualsTheReferenceInDouble) { expect_reference_forward(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Deep, DeepForward,
                         testing::Values("r50", "r100", "r200", "vit_s", "vit_b", "vit_l_dp005_mask_005"));

}  // namespace
}  // namespace likeness::model
