// Copyright the sharedsock authors. Distributed under the Boost Software License, Version 1.0 (see LICENSE).
#include "certificate.hpp"

#include <memory>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace tls_workers {
namespace {

using key_pointer         = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using certificate_pointer = std::unique_ptr<X509, decltype(&X509_free)>;
using text_pointer        = std::unique_ptr<BIO, decltype(&BIO_free)>;
using extension_pointer   = std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)>;

void require(bool holds)
{
    if (!holds) throw std::runtime_error("OpenSSL cannot make a certificate");
}

std::string text_of(const text_pointer& memory)
{
    char* data      = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
}

void add_extension(X509* certificate, int kind, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const extension_pointer extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value), &X509_EXTENSION_free);
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

} // namespace

identity make_identity()
{
    const key_pointer key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const certificate_pointer certificate(X509_new(), &X509_free);
    require(key != nullptr && certificate != nullptr);
    const auto* const common_name = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME* const name         = X509_get_subject_name(certificate.get());
    require(X509_set_version(certificate.get(), 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600) != nullptr &&
            X509_set_pubkey(certificate.get(), key.get()) == 1 &&
            X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
            X509_set_issuer_name(certificate.get(), name) == 1);
    add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost");
    add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    require(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);

    const text_pointer key_text(BIO_new(BIO_s_mem()), &BIO_free);
    const text_pointer certificate_text(BIO_new(BIO_s_mem()), &BIO_free);
    require(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
            PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1);
    return {text_of(key_text), text_of(certificate_text)};
}

} // namespace tls_workers
