"""The generator of random numbers, as text of C that both CUDA and C take."""

PHILOX = """
static __device__ void philox(unsigned int a, unsigned int b, unsigned int c, unsigned int d, unsigned long long seed,
                              unsigned int* first, unsigned int* second) {
    unsigned int low = (unsigned int)seed, high = (unsigned int)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const unsigned long long left = a * 0xD2511F53ull, right = c * 0xCD9E8D57ull;
        a = (unsigned int)(right >> 32) ^ b ^ low;
        b = (unsigned int)right;
        c = (unsigned int)(left >> 32) ^ d ^ high;
        d = (unsigned int)left;
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    *first = a >> 8;
    *second = b >> 8;
}
"""
"""Philox4x32-10 (Salmon et al. 2011), as in `recurrency.graph.draws`: two numbers of 24 bits."""
