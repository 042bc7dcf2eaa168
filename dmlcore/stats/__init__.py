"""The catalogue: every family, and the functions on encoded data. `from dmlcore.stats import *` gives what `__all__` lists."""

from typing import TYPE_CHECKING

from dmlcore.base.lazy import lazily
from dmlcore.stats.combinators.composite import CompositeDistribution, CompositeEstimator
from dmlcore.stats.combinators.ignored import IgnoredDistribution, IgnoredEstimator
from dmlcore.stats.combinators.null import NullDistribution, NullEstimator
from dmlcore.stats.combinators.optional import OptionalDistribution, OptionalEstimator
from dmlcore.stats.combinators.times import TimeDistribution, TimeEstimator
from dmlcore.stats.latent.gated_mixture import GatedMixtureDistribution, GatedMixtureEstimator
from dmlcore.stats.latent.hidden_markov import HiddenMarkovEstimator, HiddenMarkovModelDistribution
from dmlcore.stats.latent.hierarchical_mixture import HierarchicalMixtureDistribution, HierarchicalMixtureEstimator
from dmlcore.stats.latent.joint_mixture import JointMixtureDistribution, JointMixtureEstimator
from dmlcore.stats.latent.mixture import (
    HeterogeneousMixtureDistribution,
    HeterogeneousMixtureEstimator,
    MixtureDistribution,
    MixtureEstimator,
)
from dmlcore.stats.multivariate.diagonal_gaussian import DiagonalGaussianDistribution, DiagonalGaussianEstimator
from dmlcore.stats.multivariate.multivariate_gaussian import (
    MultivariateGaussianDistribution,
    MultivariateGaussianEstimator,
    PartialGaussianDistribution,
    PartialGaussianEstimator,
)
from dmlcore.stats.regression.gamma_regression import GammaRegressionDistribution, GammaRegressionEstimator
from dmlcore.stats.regression.glm.common_parameters import CommonParametersDistribution, CommonParametersEstimator
from dmlcore.stats.regression.linear_mixed_regression import LinearMixedRegressionDistribution, LinearMixedRegressionEstimator
from dmlcore.stats.regression.linear_regression import LinearRegressionDistribution, LinearRegressionEstimator
from dmlcore.stats.regression.logistic_regression import LogisticRegressionDistribution, LogisticRegressionEstimator
from dmlcore.stats.regression.multinomial_logistic_regression import (
    MultinomialLogisticRegressionDistribution,
    MultinomialLogisticRegressionEstimator,
)
from dmlcore.stats.regression.negative_binomial_regression import (
    NegativeBinomialRegressionDistribution,
    NegativeBinomialRegressionEstimator,
)
from dmlcore.stats.regression.poisson_regression import PoissonRegressionDistribution, PoissonRegressionEstimator
from dmlcore.stats.sequences.bernoulli_set import BernoulliSetDistribution, BernoulliSetEstimator
from dmlcore.stats.sequences.markov_chain import MarkovChainDistribution, MarkovChainEstimator
from dmlcore.stats.sequences.sequence import SequenceDistribution, SequenceEstimator
from dmlcore.stats.univariate.binomial import BinomialDistribution, BinomialEstimator
from dmlcore.stats.univariate.categorical import CategoricalDistribution, CategoricalEstimator
from dmlcore.stats.univariate.exponential import ExponentialDistribution, ExponentialEstimator
from dmlcore.stats.univariate.gamma import GammaDistribution, GammaEstimator
from dmlcore.stats.univariate.gaussian import GaussianDistribution, GaussianEstimator
from dmlcore.stats.univariate.geometric import GeometricDistribution, GeometricEstimator
from dmlcore.stats.univariate.integer_categorical import IntegerCategoricalDistribution, IntegerCategoricalEstimator
from dmlcore.stats.univariate.log_gaussian import LogGaussianDistribution, LogGaussianEstimator
from dmlcore.stats.univariate.negative_binomial import NegativeBinomialDistribution, NegativeBinomialEstimator
from dmlcore.stats.univariate.point_mass import PointMassDistribution, PointMassEstimator
from dmlcore.stats.univariate.poisson import PoissonDistribution, PoissonEstimator
from dmlcore.stats.univariate.spike_and_slab import SpikeAndSlabDistribution, SpikeAndSlabEstimator

if TYPE_CHECKING:
    from dmlcore.fitting.drivers import (
        estimate,
        initialize,
        seq_encode,
        seq_estimate,
        seq_initialize,
        seq_log_density,
        seq_log_density_sum,
    )
    from dmlcore.io.json import dump_models, load_models
else:
    __getattr__ = lazily(
        __name__,
        {
            "dmlcore.fitting.drivers": "estimate initialize seq_encode seq_estimate seq_initialize seq_log_density seq_log_density_sum",
            "dmlcore.io.json": "dump_models load_models",
        },
    )

__all__ = [
    "BernoulliSetDistribution",
    "BernoulliSetEstimator",
    "BinomialDistribution",
    "BinomialEstimator",
    "CategoricalDistribution",
    "CategoricalEstimator",
    "CommonParametersDistribution",
    "CommonParametersEstimator",
    "CompositeDistribution",
    "CompositeEstimator",
    "DiagonalGaussianDistribution",
    "DiagonalGaussianEstimator",
    "ExponentialDistribution",
    "ExponentialEstimator",
    "GammaDistribution",
    "GammaEstimator",
    "GammaRegressionDistribution",
    "GammaRegressionEstimator",
    "GatedMixtureDistribution",
    "GatedMixtureEstimator",
    "GaussianDistribution",
    "GaussianEstimator",
    "GeometricDistribution",
    "GeometricEstimator",
    "HeterogeneousMixtureDistribution",
    "HeterogeneousMixtureEstimator",
    "HiddenMarkovEstimator",
    "HiddenMarkovModelDistribution",
    "HierarchicalMixtureDistribution",
    "HierarchicalMixtureEstimator",
    "IgnoredDistribution",
    "IgnoredEstimator",
    "IntegerCategoricalDistribution",
    "IntegerCategoricalEstimator",
    "JointMixtureDistribution",
    "JointMixtureEstimator",
    "LinearMixedRegressionDistribution",
    "LinearMixedRegressionEstimator",
    "LinearRegressionDistribution",
    "LinearRegressionEstimator",
    "LogGaussianDistribution",
    "LogGaussianEstimator",
    "LogisticRegressionDistribution",
    "LogisticRegressionEstimator",
    "MarkovChainDistribution",
    "MarkovChainEstimator",
    "MixtureDistribution",
    "MixtureEstimator",
    "MultinomialLogisticRegressionDistribution",
    "MultinomialLogisticRegressionEstimator",
    "MultivariateGaussianDistribution",
    "MultivariateGaussianEstimator",
    "NegativeBinomialDistribution",
    "NegativeBinomialEstimator",
    "NegativeBinomialRegressionDistribution",
    "NegativeBinomialRegressionEstimator",
    "NullDistribution",
    "NullEstimator",
    "OptionalDistribution",
    "OptionalEstimator",
    "PartialGaussianDistribution",
    "PartialGaussianEstimator",
    "PointMassDistribution",
    "PointMassEstimator",
    "PoissonDistribution",
    "PoissonEstimator",
    "PoissonRegressionDistribution",
    "PoissonRegressionEstimator",
    "SequenceDistribution",
    "SequenceEstimator",
    "SpikeAndSlabDistribution",
    "SpikeAndSlabEstimator",
    "TimeDistribution",
    "TimeEstimator",
    "dump_models",
    "estimate",
    "initialize",
    "load_models",
    "seq_encode",
    "seq_estimate",
    "seq_initialize",
    "seq_log_density",
    "seq_log_density_sum",
]
