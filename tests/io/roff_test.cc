#include "moescope/io/roff.h"

#include <gtest/gtest.h>

#include "moescope/base/random.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

TEST(Roff, KeepsTheTextOfAManPage) {
  EXPECT_EQ(roff_to_text(R"(.\" a comment
'\" t
.de Vb
.ft CW
..
.ie n .ds -- \(*W-
.el .ds -- x
.if t \{\
.    ds PI p
.    never seen
.\}
.TH LS 1 "2024-01-01" "GNU coreutils" "User Commands"
.SH NAME
ls \- list directory contents
.SH "SEE ALSO"
.B ls
[\fI\,OPTION\/\fR]...
.PP
List  information
about the \fBFILE\fRs.  \" not this
.TP
\fB\-a\fR, \fB\-\-all\fR
do not ignore entries starting with .
.TP
.BR \-l ", " x
long (see
.BR cat (1)).
.nf
  example   one
\&.two \e n
.fi
Caf\('e \(lqx\(rq \[u2019] na\*(L"b\*(R"c\c
d
.XX unknown macro
)"),
            "LS(1)\n\nNAME\nls - list directory contents\n\nSEE ALSO\nls [OPTION]...\n\n"
            "List information about the FILEs.\n\n-a, --all\ndo not ignore entries starting with .\n\n"
            "-l, x\nlong (see cat(1)).\n  example   one\n.two \\ n\nCafé “x” ’ na\"b\"cd\n");
}

TEST(Roff, KeepsTheTextOfAnMdocPage) {
  EXPECT_EQ(roff_to_text(R"(.Dd May 1, 2024
.Dt SSH 1
.Os
.Sh NAME
.Nm ssh
.Nd OpenSSH remote login client
.Sh SYNOPSIS
.Nm
.Op Fl 46A
.Op Fl B Ar bind_interface
.Ar destination
.Op Ar command Op Ar argument ...
.Sh DESCRIPTION
.Nm
(SSH client) is a program, see
.Xr sshd 8 .
.Bl -tag -width Ds
.It Fl v
Verbose
.Pq Dq much .
.El
)"),
            "SSH(1)\n\nNAME\nssh OpenSSH remote login client\n\nSYNOPSIS\n"
            "ssh [-46A] [-B bind_interface] destination [command [argument ...]]\n\nDESCRIPTION\n"
            "ssh (SSH client) is a program, see sshd(8).\n\n-v\nVerbose (“much”).\n");
}

TEST(Roff, FillsParagraphsTo78Columns) {
  std::string source, words;
  for (int i = 0; i < 100; ++i) source += "wörd\n";
  const std::string text = roff_to_text(source);
  std::size_t n_lines = 0;
  for (std::size_t begin = 0; begin < text.size(); ++n_lines) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LE(end - begin, 78u + 15u);  // each word has one character of two bytes
    begin = end + 1;
  }
  EXPECT_EQ(n_lines, 7u);  // 15 words of 4 characters and 14 spaces are 74
}

TEST(Roff, DropsTheFormatOfTablesAndKeepsTheirText) {
  EXPECT_EQ(roff_to_text(".TS\nallbox;\nl l.\na\tb\n_\nT{\nc\nT}\td\n.TE\nafter\n"), "a b\nc\n d\n\nafter\n");
}

TEST(Roff, APageThatRefersToAnotherIsEmpty) { EXPECT_EQ(roff_to_text(".so man1/ls.1\n"), ""); }

TEST(Roff, TakesAnEmptyLineForTheTagOfAnExample) { EXPECT_EQ(roff_to_text(".nf\n.TP\n\nx\n"), "x\n"); }

TEST(Roff, TakesAnyInput) {
  const std::string pieces[] = {"\\",   "\n.",     "\n'",    "\\f",       "(",        "[",       "'",       "\\*",
                                "\\s+", "\"",      ".if n ", "\\{",       "\\}",      "\n.ie t", "\n.el",   "\n.de X",
                                "\n..", "\n.TS\n", "l l.\n", "\n.Op Fl",  " Ar",      " Nm",     "\n.It ",  "ä",
                                "€",    "x",       " ",      "\t",        "\\h'",     "\\c",     "\n.TP\n", "\n.nf\n",
                                "T{",   "\\[u",    "2019]",  "\n.if !n ", "\n.while "};
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string source;
    for (std::uint64_t n = random.below(20); n > 0; --n) source += pieces[random.below(std::size(pieces))];
    ASSERT_TRUE(is_utf8(roff_to_text(source))) << source;
  }
}

}  // namespace
}  // namespace moescope::io
