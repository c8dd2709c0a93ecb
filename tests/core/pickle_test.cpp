#include "core/pickle.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"

namespace likeness::test {
namespace {

using Kind = PickleValue::Kind;
using namespace std::string_literals;  // NOLINT: pickles hold zeros

std::shared_ptr<PickleValue> load(const std::string& text) {
  static std::string kept;  // values point into it
  kept = text;
  return read_pickle(std::as_bytes(std::span(kept)), "test.pkl");
}

std::string refusal(const std::string& text) {
  try {
    load(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.exit_code(), 4);
    EXPECT_EQ(e.parts().where.rfind("test.pkl, byte ", 0), 0u) << e.parts().where;
    return e.parts().what;
  }
  ADD_FAILURE() << "not refused";
  return "";
}

std::string bytes_of(const PickleValue& v) { return {reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()}; }

TEST(Pickle, ScalarsOfAllProtocols) {
  EXPECT_EQ(load("N.")->kind, Kind::kNone);
  EXPECT_TRUE(load("I01\n.")->boolean);
  EXPECT_EQ(load("I01\n.")->kind, Kind::kBool);
  EXPECT_EQ(load("\x80\x02\x89.")->kind, Kind::kBool);
  EXPECT_EQ(load("I-7\n.")->integer, -7);
  EXPECT_EQ(load("L9223372036854775807L\n.")->integer, INT64_MAX);
  EXPECT_EQ(load(std::string("J\xff\xff\xff\xff.", 6))->integer, -1);
  EXPECT_EQ(load(std::string("K\xff.", 3))->integer, 255);
  EXPECT_EQ(load(std::string("M\x01\x02.", 4))->integer, 513);
  EXPECT_EQ(load(std::string("\x8a\x02\x00\xff.", 5))->integer, -256);
  EXPECT_EQ(load(std::string("\x8a\x00.", 3))->integer, 0);
  EXPECT_EQ(load("F-1.5e3\n.")->real, -1500.0);
  EXPECT_EQ(load(std::string("G\x3f\xf8\0\0\0\0\0\0.", 10))->real, 1.5);
}

TEST(Pickle, StringsAndTheirEscapes) {
  EXPECT_EQ(bytes_of(*load("S'a\\x00\\n\\'b\\\\'\n.")), std::string("a\0\n'b\\", 6));
  EXPECT_EQ(bytes_of(*load("S\"it's\"\n.")), "it's");
  EXPECT_EQ(load("V\\u00e9\\U0001f600x\n.")->text, "\xc3\xa9\xf0\x9f\x98\x80x");
  EXPECT_EQ(load("V\xe9\n.")->text, "\xc3\xa9");  // raw bytes are latin1
  EXPECT_EQ(bytes_of(*load(std::string("U\x03"
                                       "abc.",
                                       6))),
            "abc");
  EXPECT_EQ(load(std::string("\x8c\x02hi.", 5))->text, "hi");
  // Python 3 writes bytes at protocols 0 to 2 as text and an encoding.
  EXPECT_EQ(bytes_of(*load("c_codecs\nencode\n(Va\xe9\nVlatin1\ntR.")), "a\xe9");
}

TEST(Pickle, Containers) {
  const auto v = load(
      "(I1\n(lp0\nI2\na]K\x03"
      "a}U\x01kK\x04st.");
  ASSERT_EQ(v->kind, Kind::kTuple);
  ASSERT_EQ(v->items.size(), 4u);
  EXPECT_EQ(v->items[1]->items.at(0)->integer, 2);
  EXPECT_EQ(v->items[2]->items.at(0)->integer, 3);
  ASSERT_EQ(v->items[3]->kind, Kind::kDict);
  EXPECT_EQ(bytes_of(*v->items[3]->items.at(0)), "k");
  EXPECT_EQ(v->items[3]->items.at(1)->integer, 4);
}

TEST(Pickle, TheMemoSharesValues) {
  const auto v = load("(U\x02hiq\x05h\x05t.");
  EXPECT_EQ(v->items.at(0).get(), v->items.at(1).get());
}

TEST(Pickle, ArraysAndScalarsOfNumpy) {
  const std::string dtype = "cnumpy\ndtype\n(U\2u1K\0K\1tR(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"s;
  const auto v = load("cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR(K\1(K\2K\2t"s + dtype +
                      "I00\nU\4wxyztb."s);
  ASSERT_EQ(v->kind, Kind::kArray);
  EXPECT_EQ(v->array.dtype, "u1");
  EXPECT_EQ(v->array.shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(std::memcmp(v->array.data.data(), "wxyz", 4), 0);
  const auto yes = load("cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(U\2b1I00\nI01\ntRU\1\1tR."s);
  ASSERT_EQ(yes->kind, Kind::kBool);
  EXPECT_TRUE(yes->boolean);
  // Bytes that do not fill the shape, and types that hold objects.
  refusal("cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR(K\1(K\2K\3t"s + dtype +
          "I00\nU\4wxyztb."s);
  refusal("cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\2f1I00\nI01\ntRU\1\1tR."s);  // no such type; read as f8,
                                                                                           // 7 bytes too far
  refusal("cnumpy\ndtype\n(U\2O8K\0K\1tR."s);
}

TEST(Pickle, ForeignGlobalsAndForbiddenOpcodesAreRefused) {
  EXPECT_NE(refusal("cos\nsystem\n(S'true'\ntR.").find("foreign global"), std::string::npos);
  EXPECT_NE(refusal("\x80\x04\x8c\x08"
                    "builtins\x8c\x04"
                    "exec\x93.")
                .find("foreign global"),
            std::string::npos);
  EXPECT_NE(refusal("cnumpy.core.multiarray\nset_string_function\n.").find("foreign global"), std::string::npos);
  for (const char* opcode : {"Ps\n.", "(ios\nsystem\n.", "(cnumpy\ndtype\no.", "NNR.", ")\x81.", "\x82\x01.", "\x97."})
    refusal(opcode);
}

TEST(Pickle, DamageIsRefused) {
  refusal("");
  for (const char* text : {".",         "K",          "a.",          "e.",        "NN.",
                           "(.",        "(N.",        "I12",         "Ix\n.",     "L99999999999999999999L\n.",
                           "g7\n.",     "Fx\n.",      "S'abc\n.",    "S'\\q'\n.", "S'\\x1'\n.",
                           "V\\u12\n.", "\x80\x06N.", "U\xffshort.", "Na.",       "(N}u.",
                           "0.",        "p0\n."})
    refusal(text);
}

TEST(Pickle, AListInsideItselfIsRefused) {
  EXPECT_NE(refusal("]q\x01h\x01"
                    "a.")
                .find("contains itself"),
            std::string::npos);
  EXPECT_NE(refusal("]q\x01]q\x02h\x01"
                    "ah\x01h\x02"
                    "a.")
                .find("contains itself"),
            std::string::npos);
}

TEST(Pickle, NestingEndsBeforeTheStackDoes) {
  std::string deep = "]";
  for (int i = 0; i < 100000; ++i) deep += "\x85";
  EXPECT_NE(refusal(deep + ".").find("too deep"), std::string::npos);
}

TEST(Pickle, MemoryIsBoundedByTheInput) {
  // A megabyte of empty lists would be 250 MB of values.
  EXPECT_NE(refusal("(" + std::string(1 << 20, ']') + "l.").find("more values"), std::string::npos);
  // One string of a megabyte converted over and over.
  std::string copies = "c_codecs\nencode\nq\x01(X";
  const std::uint32_t n = 1 << 20;
  copies.append(reinterpret_cast<const char*>(&n), 4);
  copies += std::string(n, 'a') + "X" + std::string("\x06\0\0\0", 4) +
            "latin1tq\x02"
            "0";
  for (int i = 0; i < 100; ++i) copies += "h\x01h\x02R";
  EXPECT_NE(refusal(copies + ".").find("more values"), std::string::npos);
}

TEST(Pickle, StateDictsAreReadOnRequestOnly) {
  const std::string tensor =
      "ccollections\nOrderedDict\n)R(Vw\nctorch._utils\n_rebuild_tensor_v2\n(("
      "Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4"
      "\ntQI0\n(I4\nt(I1\ntI00\nccollections\nOrderedDict\n)RtRu}V_metadata\nNsb.";
  EXPECT_NE(refusal(tensor).find("foreign global"), std::string::npos);
  const auto dict = read_pickle(std::as_bytes(std::span(tensor)), "m.pt", PickleGlobals::kTorch);
  ASSERT_EQ(dict->kind, Kind::kDict);
  ASSERT_EQ(dict->items.size(), 2u);  // the dict's own attributes are no entries
  EXPECT_EQ(dict->items[0]->text, "w");
  const PickleValue& call = *dict->items[1];
  EXPECT_EQ(call.kind, Kind::kCall);
  EXPECT_EQ(call.text, "torch._utils _rebuild_tensor_v2");
  ASSERT_EQ(call.items.size(), 6u);
  ASSERT_EQ(call.items[0]->kind, Kind::kReference);
  EXPECT_EQ(call.items[0]->items[0]->items[1]->text, "torch FloatStorage");
  const auto torch_refusal = [](const std::string& text) {
    try {
      read_pickle(std::as_bytes(std::span(text)), "m.pt", PickleGlobals::kTorch);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(torch_refusal("ctorch.nn.modules.linear\nLinear\n.").find("torch.nn.modules.linear Linear"),
            std::string::npos);
  EXPECT_NE(torch_refusal("cos\nsystem\n.").find("as in a state dict"), std::string::npos);
  EXPECT_NE(torch_refusal("ccollections\nOrderedDict\n(]tR.").find("made empty"), std::string::npos);
  EXPECT_NE(torch_refusal("ctorch._utils\n_rebuild_tensor_v2\nNR.").find("lacks its arguments"), std::string::npos);
  EXPECT_NE(refusal("Va\nQ.").find("unknown or forbidden opcode"), std::string::npos);
}

}  // namespace
}  // namespace likeness::test
