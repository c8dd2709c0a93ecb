// What a call refuses, for tests of bad input.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"

namespace likeness::test {

// The Error that `act` throws; the test fails when it throws none.
template <class F>
Error error_of(F&& act) {
  try {
    act();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was refused";
  return Error(ErrorKind::kCheckFailed, {.what = "nothing was refused"});
}

// Its text; the test fails when the kind is another.
template <class F>
std::string refusal(F&& act, ErrorKind kind = ErrorKind::kData) {
  const Error e = error_of(act);
  EXPECT_EQ(e.kind(), kind) << e.what();
  return e.what();
}

}  // namespace likeness::test
